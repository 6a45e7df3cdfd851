import { type InfraError, isInfraError } from '../../core/index.ts'
import type { Redis } from '../../redis/index.ts'
import { equal, ok, rejects } from '../assert.ts'
import type { RedisCase } from './fixture.ts'

const refused = { kind: 'invalid', outcome: 'not-applied', retryable: false } as const

export const errors: readonly RedisCase[] = [
  {
    name: 'a key that holds another type is REDIS_INVALID, not applied and not worth a retry',
    async run({ redis, key }) {
      await redis.set(key(), 'text')
      const error = await rejects(redis.rpush(key(), 'item'), refused)
      equal(error.code, 'REDIS_INVALID')
      equal(error.component, 'redis')
      equal(error.adapter, redis.adapter)
      equal(error.operation, 'rpush')
      equal(error.message, 'redis rpush: WRONGTYPE')
    },
  },
  {
    name: 'every type refuses the commands of the others',
    async run({ redis, key }) {
      await redis.set(key('string'), 'v')
      await redis.hset(key('hash'), { field: 'v' })
      const calls: Record<string, () => Promise<unknown>> = {
        get: () => redis.get(key('hash')),
        getBytes: () => redis.getBytes(key('hash')),
        incrBy: () => redis.incrBy(key('hash')),
        append: () => redis.append(key('hash'), 'v'),
        hget: () => redis.hget(key('string'), 'field'),
        hset: () => redis.hset(key('string'), { field: 'v' }),
        lpush: () => redis.lpush(key('string'), 'v'),
        lrange: () => redis.lrange(key('string'), 0, -1),
        sadd: () => redis.sadd(key('string'), 'v'),
        smembers: () => redis.smembers(key('string')),
        zadd: () => redis.zadd(key('string'), { member: 'm', score: 1 }),
        zrange: () => redis.zrange(key('string'), 0, -1),
        xadd: () => redis.xadd(key('string'), { field: 'v' }),
        xrange: () => redis.xrange(key('string')),
        command: () => redis.command(['LLEN', key('string')]),
      }
      for (const [name, call] of Object.entries(calls)) await rejects(call(), refused, name)
      equal(await redis.get(key('string')), 'v')
    },
  },
  {
    name: 'an increment of a hash field that is no integer is invalid',
    async run({ redis, key }) {
      await redis.hset(key(), { field: 'text' })
      await rejects(redis.hincrBy(key(), 'field'), refused)
    },
  },
  {
    name: 'what is missing is not found',
    async run({ redis, key }) {
      await rejects(redis.command(['RENAME', key(), key('new')]), {
        kind: 'not-found',
        outcome: 'not-applied',
        retryable: false,
      })
    },
  },
  {
    name: 'errors are Errors that any copy of the library recognises',
    async run({ redis }) {
      const error = await rejects(redis.get(''), refused)
      equal(error.name, 'InfraError')
      equal(error instanceof Error, true, 'instanceof Error')
      equal([isInfraError(error, 'invalid'), isInfraError(error, 'timeout')], [true, false])
    },
  },
]

/** Nothing in it needs escaping, whatever prints it. */
const marker = 'a-secret-7-that-nothing-may-show'

function printed(error: InfraError): string {
  const parts = [
    error.message,
    error.stack,
    String(error),
    JSON.stringify(error),
    JSON.stringify({ ...error }),
  ]
  for (let cause = error.cause; cause instanceof Error; cause = cause.cause) {
    parts.push(cause.message, cause.stack, JSON.stringify({ ...cause }))
  }
  for (const item of error.items ?? []) {
    if (item.status === 'rejected') parts.push(printed(item.reason))
  }
  return parts.join('\n')
}

/** Calls that fail, each in another way and with the marker wherever data can be. */
function failing(redis: Redis, key: (name: string) => string): Record<string, () => unknown> {
  const [text, secret] = [key(`text-${marker}`), key(marker)]
  return {
    'the wrong type': () => redis.hset(text, { [marker]: marker }),
    'not an integer': () => redis.incrBy(text),
    'an unknown command': () => redis.command(['NOSUCHCOMMAND', secret, marker]),
    'a secret for a command': () => redis.command([marker, secret]),
    'a syntax error': () => redis.command(['SET', secret, marker, marker]),
    'a wrong number of arguments': () => redis.command(['GET', secret, marker]),
    'a stream ID': () => redis.xadd(secret, { [marker]: marker }, { id: marker }),
    'a value of the wrong type': () => redis.set(secret, { value: marker } as never),
    'an option with a secret name': () => redis.get(secret, { [marker]: marker } as never),
    'a correlation ID with spaces': () =>
      redis.get(secret, { correlationId: `${marker} ${marker}` }),
    'a lone surrogate': () => redis.set(`${secret}\ud800`, `${marker}\ud800`),
    'an aborted call': () =>
      redis.set(secret, marker, { signal: AbortSignal.abort(new Error(marker)) }),
    'a pipeline': () => redis.pipeline().set(secret, marker).incrBy(text).exec(),
    'a transaction': () => redis.transaction().set(secret, marker).incrBy(text).exec(),
    'a refused transaction': () => redis.transaction().command(['NOSUCHCOMMAND', marker]).exec(),
    'a script': () => redis.eval(`error('${marker}')`, [secret], [marker]),
    'a script that does not compile': () => redis.eval(`${marker} +`, [secret], [marker]),
    'a channel': () => redis.subscribe(`${marker}\ud800`),
    'a scan': () => redis.scan({ match: marker, count: marker as never }).next(),
  }
}

async function failureOf(work: () => unknown, what: string): Promise<InfraError> {
  try {
    await work()
  } catch (error) {
    if (isInfraError(error)) return error
    throw new Error(`${what}: not an InfraError: ${error}`)
  }
  throw new Error(`${what}: it did not fail`)
}

export const secrecy: readonly RedisCase[] = [
  {
    name: 'no error shows a key or a value',
    async run({ redis, key }) {
      await redis.set(key(`text-${marker}`), marker)
      for (const [what, work] of Object.entries(failing(redis, key))) {
        const text = printed(await failureOf(work, what))
        ok(!text.includes(marker), `${what}: the error shows it:\n${text}`)
      }
    },
  },
  {
    name: 'no log record, metric or span shows a key or a value',
    async run({ create, key }) {
      const seen: unknown[] = []
      const note = (...items: unknown[]) => {
        seen.push(items)
      }
      const instrument = (...items: unknown[]) => {
        note(...items)
        return note
      }
      const redis = create({
        logSuccess: true,
        logger: { debug: note, info: note, warn: note, error: note },
        metrics: { histogram: instrument, counter: instrument, gauge: instrument },
        tracer: {
          startSpan(...items) {
            note(...items)
            return { end: note }
          },
        },
      })
      await redis.set(key(`text-${marker}`), marker)
      for (const [what, work] of Object.entries(failing(redis, key))) await failureOf(work, what)
      const text = JSON.stringify(seen)
      ok(text.includes('operation_failed'), 'nothing was logged')
      ok(!text.includes(marker), `it shows: ...${text.slice(text.indexOf(marker) - 200)}`)
    },
  },
]
