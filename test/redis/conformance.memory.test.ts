import { memory } from '../../adapters/redis/memory.ts'
import type { ClientOptions } from '../../src/core/index.ts'
import { Redis } from '../../src/redis/index.ts'
import { conformance } from './conformance.ts'

const create = (options: ClientOptions) => new Redis(memory(), options)

conformance('memory', {}, () => ({ redis: create({ logger: false }), create }))
