import { rest } from '../../adapters/redis/rest.ts'
import { Cache, RedisStore, Sealer } from '../../src/cache/index.ts'
import { withContext } from '../../src/core/index.ts'
import { Redis } from '../../src/redis/index.ts'

interface Env {
  readonly REDIS_URL: string
  readonly REDIS_TOKEN: string
  readonly PREFIX: string
  readonly KEY: string
}

interface ExecutionContext {
  waitUntil(work: Promise<unknown>): void
}

let now = 1_800_000_000_000
let loads = 0

async function load(key: string) {
  const number = ++loads
  if (key === 'hangs' && number === 1) await new Promise(() => {})
  await new Promise((resolve) => setTimeout(resolve, 20))
  return { value: `${key} ${number}` }
}

const options = { name: 'test', operation: 'get', load, clock: () => now }
/** At module level, where Workers keep what requests share. */
let cache = new Cache<string>(options)

/** Each answers a request by the search parameters; the path says what to do. */
const actions: Readonly<
  Record<string, (query: URLSearchParams, env: Env, context: ExecutionContext) => unknown>
> = {
  /** Forgets all, with Redis as the second level if it is asked for. */
  '/start'(query, { REDIS_URL, REDIS_TOKEN, PREFIX, KEY }) {
    loads = 0
    const redis = new Redis(rest({ url: REDIS_URL, token: REDIS_TOKEN }), { logger: false })
    const shared = {
      store: new RedisStore({ redis, prefix: PREFIX, timeoutMs: 2000 }),
      sealer: new Sealer(KEY),
      codec: { encode: (value: string) => value, decode: (json: unknown) => json as string },
      context: ['test'],
    }
    cache = new Cache<string>({ ...options, ...(query.has('redis') && { shared }) })
  },
  async '/get'(query, _, context) {
    now += Number(query.get('after') ?? 0)
    const key = query.get('key') ?? ''
    const get = () => cache.get(key, '', { timeoutMs: Number(query.get('timeoutMs') ?? 5000) })
    if (!query.has('waitUntil')) return await get()
    return await withContext({ waitUntil: (work) => context.waitUntil(work) }, get)
  },
  '/invalidate': (query) => cache.invalidate(query.get('key') ?? ''),
  '/loads': () => loads,
}

export default {
  async fetch(request: Request, env: Env, context: ExecutionContext): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url)
    try {
      return Response.json((await actions[pathname]?.(searchParams, env, context)) ?? null)
    } catch (error) {
      return Response.json({ error: (error as { code?: string }).code ?? String(error) })
    }
  },
}
