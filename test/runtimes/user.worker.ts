import { createWorker } from '../../src/runtimes/worker.ts'

/** A Worker of a user's: counts under the path. */
export default createWorker({
  async fetch(request, infra, _env, context) {
    const key = new URL(request.url).pathname
    const [count] = await Promise.all([infra.redis.incrBy(key), infra.redis.expire(key, 60)])
    context.waitUntil(infra.redis.incrBy(`${key}:later`))
    return Response.json({ count })
  },
})
