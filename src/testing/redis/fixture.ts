import type { ClientOptions } from '../../core/index.ts'
import type { Redis, RedisCapabilities, RedisSubscription } from '../../redis/index.ts'
import type { Case } from '../suite.ts'

/** The adapter under test, and a server for it. The server may be shared: the suite cleans up after itself. */
export interface RedisTarget {
  /** Used by most cases, several of them after one another. */
  readonly redis: Redis
  /** Another client, which the suite closes. It need not see the same data. */
  create(options: ClientOptions): Redis
  /** In front of every key and channel. Default `dualport-test`. */
  readonly prefix?: string
}

export interface RedisFixture {
  readonly redis: Redis
  /** A key that no other run of a case uses. All keys of a case share a slot. Deleted afterwards. */
  readonly key: (name?: string) => string
  /** The same for keys that are not text. */
  readonly bytesKey: (end: Uint8Array) => Uint8Array
  /** A client of the case's own, quiet unless it is given a logger. Closed afterwards. */
  readonly create: (options?: ClientOptions) => Redis
  /** A subscription of `redis`. Closed afterwards. */
  readonly subscribe: Redis['subscribe']
  /** What `tearDown` undoes. */
  readonly used: {
    readonly keys: Set<string | Uint8Array>
    readonly clients: Redis[]
    readonly subscriptions: RedisSubscription[]
  }
}

export type RedisCase = Case<RedisFixture, RedisCapabilities>

export function setUp({ redis, create, prefix = 'dualport-test' }: RedisTarget): RedisFixture {
  // The braces are a hash tag: on a cluster, what is in them decides the slot.
  const unique = `${prefix}:{${crypto.randomUUID()}}:`
  const keys = new Set<string | Uint8Array>()
  const clients: Redis[] = []
  const subscriptions: RedisSubscription[] = []
  return {
    redis,
    key(name = 'key') {
      keys.add(unique + name)
      return unique + name
    },
    bytesKey(end) {
      const start = bytesOf(unique)
      const whole = new Uint8Array(start.length + end.length)
      whole.set(start)
      whole.set(end, start.length)
      keys.add(whole)
      return whole
    },
    create(options) {
      const client = create({ logger: false, ...options })
      clients.push(client)
      return client
    },
    async subscribe(channels, options) {
      const subscription = await redis.subscribe(channels, options)
      subscriptions.push(subscription)
      return subscription
    },
    used: { keys, clients, subscriptions },
  }
}

export async function tearDown({ redis, used }: RedisFixture): Promise<void> {
  await Promise.all([...used.clients, ...used.subscriptions].map((each) => each.close()))
  if (used.keys.size > 0) await redis.del([...used.keys])
}

export function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

/** Every byte there is, so invalid as UTF-8. */
export const allBytes: Uint8Array = Uint8Array.from({ length: 256 }, (_, i) => i)
