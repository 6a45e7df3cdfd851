import { withContext } from '../../core/index.ts'
import { equal, ok, rejects } from '../assert.ts'
import { bytesOf, type RedisCase } from './fixture.ts'

export const cancellation: readonly RedisCase[] = [
  {
    name: 'a signal that has fired already stops the call before anything is sent',
    async run({ redis, key }) {
      const options = { signal: AbortSignal.abort() }
      const aborted = { kind: 'aborted', outcome: 'not-applied', retryable: false } as const
      await rejects(redis.set(key(), 'v', options), aborted, 'set')
      await rejects(redis.command(['SET', key(), 'v'], options), aborted, 'command')
      await rejects(redis.pipeline().set(key(), 'v').exec(options), aborted, 'pipeline')
      await rejects(redis.transaction().set(key(), 'v').exec(options), aborted, 'transaction')
      await rejects(redis.health(options), aborted, 'health')
      equal(await redis.get(key()), null)
    },
  },
  {
    name: 'a signal that fires during a call ends it, and the outcome is the truth',
    async run({ redis, key }) {
      const abort = new AbortController()
      const writing = rejects(redis.set(key(), 'v', { signal: abort.signal }), { kind: 'aborted' })
      abort.abort()
      const { outcome } = await writing
      const written = await redis.get(key())
      ok(outcome === 'unknown' || written === null, `${outcome}, yet it was written`)
    },
  },
  {
    name: 'aborting one call leaves the others of the same tick alone',
    async run({ redis, key }) {
      const abort = new AbortController()
      const before = redis.incrBy(key())
      const aborted = rejects(redis.get(key(), { signal: abort.signal }), {
        kind: 'aborted',
        outcome: 'not-applied',
      })
      const after = redis.incrBy(key())
      abort.abort()
      await aborted
      equal(await Promise.all([before, after]), [1, 2])
    },
  },
  {
    name: 'a signal that fires after the reply changes nothing',
    async run({ redis, key }) {
      const abort = new AbortController()
      equal(await redis.set(key(), 'v', { signal: abort.signal }), true)
      abort.abort()
      equal(await redis.get(key()), 'v')
    },
  },
  {
    name: 'a signal that serves many calls keeps nothing of them',
    async run({ redis, key }) {
      const { signal } = new AbortController()
      let listeners = 0
      const add = signal.addEventListener.bind(signal)
      const remove = signal.removeEventListener.bind(signal)
      signal.addEventListener = (...args: Parameters<typeof add>) => {
        listeners++
        add(...args)
      }
      signal.removeEventListener = (...args: Parameters<typeof remove>) => {
        listeners--
        remove(...args)
      }
      await Promise.all(Array.from({ length: 50 }, () => redis.incrBy(key(), 1, { signal })))
      await rejects(redis.get('', { signal }), { kind: 'invalid' })
      equal(listeners, 0, 'the listeners that are left')
    },
  },
  {
    name: 'a deadline in the past stops every call inside before anything is sent',
    async run({ redis, key }) {
      const timeout = { kind: 'timeout', outcome: 'not-applied', retryable: true } as const
      await withContext({ deadline: Date.now() - 1 }, async () => {
        await rejects(redis.set(key(), 'v'), timeout, 'set')
        await rejects(redis.pipeline().set(key(), 'v').exec(), timeout, 'pipeline')
      })
      equal(await redis.get(key()), null)
    },
  },
  {
    name: 'a signal of the context stops every call inside',
    async run({ redis, key }) {
      const aborted = { kind: 'aborted', outcome: 'not-applied' } as const
      await withContext({ signal: AbortSignal.abort() }, () =>
        rejects(redis.set(key(), 'v'), aborted),
      )
      equal(await redis.get(key()), null)
    },
  },
]

export const lifecycle: readonly RedisCase[] = [
  {
    name: 'health resolves while the server answers',
    async run({ redis }) {
      equal(await redis.health(), undefined)
    },
  },
  {
    name: 'a closed client refuses every kind of call as REDIS_CLOSED',
    async run({ create, key, redis }) {
      const client = create()
      const pipeline = client.pipeline().set(key(), 'v')
      await client.set(key('open'), 'v')
      await client.close()
      const calls: Record<string, () => unknown> = {
        get: () => client.get(key()),
        set: () => client.set(key(), 'v'),
        command: () => client.command(['SET', key(), 'v']),
        'pipeline from before': () => pipeline.exec(),
        pipeline: () => client.pipeline().set(key(), 'v').settle(),
        transaction: () => client.transaction().set(key(), 'v').exec(),
        scan: () => client.scan().next(),
        health: () => client.health(),
        ...(client.capabilities.scripts && { eval: () => client.eval('return 1') }),
        ...(client.capabilities.subscribe && { subscribe: () => client.subscribe(key()) }),
      }
      for (const [what, call] of Object.entries(calls)) {
        const closed = { kind: 'closed', outcome: 'not-applied', retryable: false } as const
        const error = await rejects(call, closed, what)
        equal(error.code, 'REDIS_CLOSED', what)
      }
      equal(await redis.get(key()), null)
    },
  },
  {
    name: 'close may be called again, and before anything else',
    async run({ create }) {
      const client = create()
      const first = client.close()
      ok(client.close() === first, 'the second call gives another promise')
      await first
      await client.close()
    },
  },
  {
    name: 'close waits for what is in flight',
    async run({ create, key }) {
      const client = create()
      const writes = Array.from({ length: 20 }, () => client.incrBy(key()))
      const closing = client.close()
      await rejects(client.incrBy(key()), { kind: 'closed' })
      equal((await Promise.all(writes)).at(-1), 20)
      await closing
    },
  },
  {
    name: 'closing one client leaves the others alone',
    async run({ create, key }) {
      const [first, second] = [create(), create()]
      await Promise.all([first.health(), second.set(key(), 'v')])
      await first.close()
      equal(await second.get(key()), 'v')
    },
  },
  {
    name: 'a client closes itself at the end of its block',
    async run({ create }) {
      const client = create()
      // What `await using` calls. Written so, it would cost every entry of the package a file of helpers.
      await client[Symbol.asyncDispose]()
      await rejects(client.health(), { kind: 'closed' })
    },
  },
  {
    name: 'adapter and native tell what is underneath',
    async run({ redis }) {
      ok(redis.adapter.length > 0, 'the adapter has no name')
      ok((await redis.native()) !== undefined, 'there is nothing underneath')
    },
  },
  {
    name: 'a call needs no awaiting to be sent',
    async run({ redis, key }) {
      void redis.set(key('a'), bytesOf('sent'))
      equal(await redis.get(key('a')), 'sent')
    },
  },
]
