import { ioredis } from '../../adapters/redis/ioredis.ts'
import type { ClientOptions } from '../../src/core/index.ts'
import { Redis } from '../../src/redis/index.ts'
import { engine } from '../engines/index.ts'
import { conformance } from './conformance.ts'

const server = await engine('redis')
const create = (options: ClientOptions) => new Redis(ioredis({ url: server.url }), options)

conformance('ioredis', server, () => ({ redis: create({ logger: false }), create }))
