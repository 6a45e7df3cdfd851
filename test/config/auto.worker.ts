import { createInfrastructure, type Infrastructure } from '../../src/config/auto.edge.ts'
import { isInfraError } from '../../src/core/index.ts'

/** One for all requests, as a Worker would have it. */
let shared: Infrastructure | undefined

export default {
  async fetch(request: Request, env: object): Promise<Response> {
    const { searchParams } = new URL(request.url)
    const url = searchParams.get('url')
    try {
      if (url !== null) createInfrastructure({ REDIS_URL: url, REDIS_TOKEN: 'secret' })
      shared ??= createInfrastructure(env, { logger: false })
      await shared.warm()
      const count = await shared.redis.incrBy(searchParams.get('key') as string)
      const { redis } = await shared.health.check()
      return Response.json({ count, health: redis?.status, ...shared.describe() })
    } catch (error) {
      if (!isInfraError(error)) throw error
      const { code, message } = error
      return Response.json({ code, message }, { status: 500 })
    }
  },
}
