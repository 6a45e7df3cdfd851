import { rest } from '../../adapters/redis/rest.ts'
import type { ClientOptions } from '../../src/core/index.ts'
import { Redis } from '../../src/redis/index.ts'
import { redisSuite, runCase } from '../../src/testing/index.ts'

interface Env {
  readonly REDIS_URL: string
  readonly REDIS_TOKEN: string
}

/** One client for all requests, as a Worker would have it. */
let shared: Redis | undefined

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const create = (options: ClientOptions) =>
      new Redis(rest({ url: env.REDIS_URL, token: env.REDIS_TOKEN }), options)
    shared ??= create({ logger: false })
    const redis = shared
    const { pathname, searchParams } = new URL(request.url)
    if (pathname === '/load') return load(redis, searchParams.get('key') as string)

    const name = searchParams.get('case')
    const found = redisSuite.cases.find((each) => each.name === name)
    if (found === undefined) return new Response('there is no such case', { status: 404 })
    try {
      await runCase(redisSuite, found, { redis, create })
      return Response.json({ passed: true })
    } catch (error) {
      return Response.json({ passed: false, error: (error as Error).stack })
    }
  },
}

/** A few commands of one tick, and more that depend on them. */
async function load(redis: Redis, key: string): Promise<Response> {
  const [set, get, count] = await Promise.all([
    redis.set(key, key, { ttlSeconds: 60 }),
    redis.get(key),
    redis.incrBy(`${key.slice(0, key.indexOf(':'))}:count`),
  ])
  const pipeline = await redis.pipeline().append(key, '!').get(key).del(key).exec()
  return Response.json({ set, get, count, pipeline })
}
