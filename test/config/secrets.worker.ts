import { createInfrastructure, resolveSecrets } from '../../src/config/auto.edge.ts'
import { isInfraError } from '../../src/core/index.ts'

type Infrastructure = ReturnType<typeof createInfrastructure>

/** One for all requests. Its configuration is not kept while it is pending: that belongs to a request. */
let shared: Infrastructure | undefined

export default {
  async fetch(_: Request, env: object): Promise<Response> {
    try {
      const resolved = await resolveSecrets(env, { logger: false })
      shared ??= createInfrastructure(resolved, { logger: false })
      const { redis, keyvault } = shared
      await redis.set('config:secrets', 'v', { ttlSeconds: 60 })
      const secret = await keyvault.getSecret('config-own')
      return Response.json({ value: await redis.get('config:secrets'), secret: secret.reveal() })
    } catch (error) {
      if (!isInfraError(error)) throw error
      const { code, message } = error
      return Response.json({ code, message }, { status: 500 })
    }
  },
}
