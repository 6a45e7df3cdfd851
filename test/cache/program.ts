/**
 * One process of several before one source: reads a value 250 times at once when it is told to by a line, and says
 * what it found. The source counts in Redis.
 */
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { ioredis } from '../../adapters/redis/ioredis.ts'
import { Cache, RedisStore, Sealer } from '../../src/cache/index.ts'
import { Redis } from '../../src/redis/index.ts'

const { REDIS_URL = '', PREFIX = '', KEY = '', LOCK } = process.env
const redis = new Redis(ioredis({ url: REDIS_URL }))
const cache = new Cache<string>({
  name: 'test',
  operation: 'get',
  async load() {
    await redis.incrBy(`${PREFIX}loads`)
    // As long as a vault takes: the others come in meanwhile.
    await new Promise((resolve) => setTimeout(resolve, 50))
    return { value: 'a value to keep' }
  },
  shared: {
    store: new RedisStore({ redis, prefix: PREFIX, timeoutMs: 2000 }),
    sealer: new Sealer(KEY),
    codec: { encode: (value) => value, decode: (json) => json as string },
    context: ['test'],
    lock: LOCK === 'on',
  },
})
await redis.health()
console.log('ready')
await once(createInterface(process.stdin), 'line')
const found = await Promise.all(Array.from({ length: 250 }, () => cache.get('a')))
console.log(found.every((each) => each?.value === 'a value to keep') ? 'found' : 'not found')
await cache.close()
await redis.close()
process.stdin.destroy()
