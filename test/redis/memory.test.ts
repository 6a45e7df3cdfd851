import fc from 'fast-check'
import { Redis as Client } from 'ioredis'
import { afterAll, describe, expect, test } from 'vitest'
import { memory } from '../../adapters/redis/memory.ts'
import type { Attempt, DriverFailure } from '../../src/core/index.ts'
import { type Arg, Redis, type RedisDriver, type Reply, ReplyError } from '../../src/redis/index.ts'
import { engine, needs } from '../engines/index.ts'

interface OpenAttempt extends Attempt {
  over: boolean
}

function attempt(): OpenAttempt {
  return {
    operation: 'command',
    due: performance.now() + 5000,
    context: undefined,
    correlationId: undefined,
    over: false,
    sent: false,
    onCancel: undefined,
  }
}

function run(driver: RedisDriver, ...args: Arg[]): Promise<Reply> {
  return driver.execute({ args }, attempt())
}

function runBytes(driver: RedisDriver, ...args: Arg[]): Promise<Reply> {
  return driver.execute({ args, bytes: true }, attempt())
}

/** A clock that the test moves. */
function movable(start = 1_700_000_000_000) {
  const clock = () => clock.now
  clock.now = start
  return clock
}

function failureKind(error: unknown): string {
  return (error as DriverFailure).failure.kind
}

describe('replies', () => {
  test('keys and values are any bytes, and stay apart although they read alike as text', async () => {
    const driver = memory()
    const all = Uint8Array.from({ length: 256 }, (_, i) => i)
    await run(driver, 'SET', all, all)
    await run(driver, 'SET', new Uint8Array([0xff]), 'one')
    await run(driver, 'SET', new Uint8Array([0xfe]), 'two')
    expect(await runBytes(driver, 'GET', all)).toEqual(all)
    expect(await run(driver, 'GET', new Uint8Array([0xff]))).toBe('one')
    expect(await run(driver, 'GET', new Uint8Array([0xfe]))).toBe('two')
    expect(await runBytes(driver, 'KEYS', '*')).toContainEqual(all)
    expect(await run(driver, 'STRLEN', all)).toBe(256)
  })

  test('text is UTF-8, a byte order mark included, and what is not UTF-8 reads as U+FFFD', async () => {
    const driver = memory()
    const text = '\ufeffdéjà vu 👋'
    await run(driver, 'SET', 'ключ', text)
    expect(await run(driver, 'GET', 'ключ')).toBe(text)
    expect(await runBytes(driver, 'GET', 'ключ')).toEqual(new TextEncoder().encode(text))
    expect(await run(driver, 'STRLEN', 'ключ')).toBe(new TextEncoder().encode(text).length)
    await run(driver, 'SET', 'key', new Uint8Array([0x61, 0xff]))
    expect(await run(driver, 'GET', 'key')).toBe('a\ufffd')
  })

  test('where bytes are asked for, every string is bytes, at any depth', async () => {
    const driver = memory()
    const utf8 = new TextEncoder()
    expect(await runBytes(driver, 'SET', 'key', 'v')).toEqual(utf8.encode('OK'))
    expect(await runBytes(driver, 'TYPE', 'key')).toEqual(utf8.encode('string'))
    expect(await runBytes(driver, 'MGET', 'key', 'none')).toEqual([utf8.encode('v'), null])
    expect(await runBytes(driver, 'SCAN', 0)).toEqual([utf8.encode('0'), [utf8.encode('key')]])
    expect(await runBytes(driver, 'STRLEN', 'key')).toBe(1)
  })

  test('what is read is a copy', async () => {
    const driver = memory()
    const value = new Uint8Array([1, 2])
    await run(driver, 'SET', 'key', value)
    value[0] = 9
    ;((await runBytes(driver, 'GET', 'key')) as Uint8Array)[1] = 9
    expect(await runBytes(driver, 'GET', 'key')).toEqual(new Uint8Array([1, 2]))
  })

  test('integers are exact to 64 bits', async () => {
    const driver = memory()
    await run(driver, 'SET', 'n', 2n ** 53n - 2n)
    expect(await run(driver, 'INCR', 'n')).toBe(Number.MAX_SAFE_INTEGER)
    expect(await run(driver, 'INCR', 'n')).toBe(2n ** 53n)
    expect(await run(driver, 'INCRBY', 'n', 2n ** 63n - 1n - 2n ** 53n)).toBe(2n ** 63n - 1n)
    await expect(run(driver, 'INCR', 'n')).rejects.toThrow('increment or decrement would overflow')
  })

  test('an error reply is a ReplyError in the words of Redis, classified as over any transport', async () => {
    const driver = memory()
    await run(driver, 'LPUSH', 'list', 'a')
    const error = await run(driver, 'GET', 'list').catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(ReplyError)
    expect((error as Error).message).toMatch(/^WRONGTYPE Operation against a key/)
    expect(driver.classify(error, { operation: 'get', sent: true }).kind).toBe('invalid')
  })

  test('there are no scripts', async () => {
    const redis = new Redis(memory(), { logger: false })
    expect(redis.capabilities.scripts).toBe(false)
    await expect(redis.eval('return 1')).rejects.toMatchObject({ kind: 'unsupported' })
  })
})

describe('expiry', () => {
  test('a key lives up to its expiry and not beyond', async () => {
    const clock = movable()
    const driver = memory({ clock })
    await run(driver, 'SET', 'key', 'v', 'PX', 1000)
    clock.now += 1000
    expect(await run(driver, 'GET', 'key')).toBe('v')
    expect(await run(driver, 'PTTL', 'key')).toBe(0)
    clock.now += 1
    expect(await run(driver, 'GET', 'key')).toBeNull()
    expect(await run(driver, 'TTL', 'key')).toBe(-2)
    expect(await run(driver, 'DBSIZE')).toBe(0)
  })

  test('an expired key is new again for whatever comes: no old items, no old expiry', async () => {
    const clock = movable()
    const driver = memory({ clock })
    await run(driver, 'RPUSH', 'list', 'old')
    await run(driver, 'EXPIRE', 'list', 1)
    clock.now += 2000
    expect(await run(driver, 'RPUSH', 'list', 'new')).toBe(1)
    expect(await run(driver, 'TTL', 'list')).toBe(-1)
  })

  test('keys that expire and are never asked for again do not pile up', async () => {
    const clock = movable()
    const driver = memory({ clock })
    for (let i = 0; i < 1000; i++) {
      await run(driver, 'SET', `session:${i}`, 'v', 'PX', 1)
      clock.now += 2
    }
    // Back when none had expired yet, what is still held can be counted.
    clock.now = 0
    expect(await run(driver, 'DBSIZE')).toBeLessThan(200)
  })

  test('the farthest expiry that the client takes is exact', async () => {
    const driver = memory({ clock: movable() })
    await run(driver, 'SET', 'key', 'v', 'EX', Number.MAX_SAFE_INTEGER)
    expect(await run(driver, 'TTL', 'key')).toBe(Number.MAX_SAFE_INTEGER)
    expect(await run(driver, 'PTTL', 'key')).toBe(BigInt(Number.MAX_SAFE_INTEGER) * 1000n)
  })
})

describe('scan', () => {
  async function scanAll(driver: RedisDriver, between: () => Promise<unknown>, ...options: Arg[]) {
    const found: string[] = []
    let cursor = '0'
    do {
      const [next, page] = (await run(driver, 'SCAN', cursor, ...options)) as [string, string[]]
      found.push(...page)
      cursor = next
      await between()
    } while (cursor !== '0')
    return found
  }

  test('finds every key that is there throughout, and ends, while others come and go', async () => {
    const driver = memory()
    for (let i = 0; i < 500; i++) {
      await run(driver, 'SET', `stays:${i}`, i)
      await run(driver, 'SET', `goes:${i}`, i)
    }
    let turn = 0
    const found = await scanAll(driver, async () => {
      for (let i = 0; i < 20; i++, turn++) {
        await run(driver, 'DEL', `goes:${turn % 500}`)
        await run(driver, 'SET', `comes:${turn}`, turn)
        await run(driver, 'RENAME', `stays:${turn % 500}`, `stays:${turn % 500}`)
      }
    })
    const stays = new Set(found.filter((key) => key.startsWith('stays:')))
    expect(stays.size).toBe(500)
  })

  test('ends although each key found is written anew', async () => {
    const driver = memory()
    for (let i = 0; i < 100; i++) await run(driver, 'SET', `key:${i}`, i)
    const found = await scanAll(driver, async () => {
      for (let i = 0; i < 100; i++) {
        await run(driver, 'DEL', `key:${i}`)
        await run(driver, 'SET', `key:${i}`, i)
      }
    })
    expect(found.length).toBeLessThanOrEqual(100)
  })

  test('pages by COUNT and filters by MATCH and TYPE', async () => {
    const driver = memory()
    for (let i = 0; i < 25; i++) await run(driver, 'SET', `s:${i}`, i)
    await run(driver, 'SADD', 's:set', 'a')
    const [next, page] = (await run(driver, 'SCAN', 0, 'COUNT', 7)) as [string, string[]]
    expect(next).not.toBe('0')
    expect(page).toHaveLength(7)
    const none = async () => {}
    expect(await scanAll(driver, none, 'TYPE', 'set')).toEqual(['s:set'])
    expect((await scanAll(driver, none, 'MATCH', 's:1?', 'COUNT', 3)).toSorted()).toEqual(
      Array.from({ length: 10 }, (_, i) => `s:1${i}`),
    )
  })
})

describe('batches', () => {
  test('an item that fails is an error in its place, and the others apply', async () => {
    const driver = memory()
    for (const atomic of [false, true]) {
      const commands = [
        ['SET', 'a', 'x'],
        ['INCR', 'a'],
        ['GET', 'a'],
      ].map((args) => ({ args }))
      const replies = await driver.batch(commands, atomic, attempt())
      expect(replies[0]).toBe('OK')
      expect(replies[1]).toBeInstanceOf(ReplyError)
      expect(replies[2]).toBe('x')
    }
  })

  test('a transaction with a command that Redis would not queue leaves nothing behind', async () => {
    const driver = memory()
    for (const refused of [['NONSENSE'], ['GET']]) {
      const commands = [{ args: ['SET', 'a', 1] }, { args: refused }]
      await expect(driver.batch(commands, true, attempt())).rejects.toThrow(
        'EXECABORT Transaction discarded because of previous errors.',
      )
    }
    expect(await run(driver, 'EXISTS', 'a')).toBe(0)
    const replies = await driver.batch(
      [{ args: ['GET'] }, { args: ['SET', 'a', 1] }],
      false,
      attempt(),
    )
    expect(replies).toEqual([expect.any(ReplyError), 'OK'])
  })

  test('in a transaction a blocking command does not wait', async () => {
    const commands = [{ args: ['BLPOP', 'list', 0] }, { args: ['RPUSH', 'list', 'a'] }]
    expect(await memory().batch(commands, true, attempt())).toEqual([null, 1])
  })

  test('calls take effect in their order, without being awaited', async () => {
    const driver = memory()
    const replies = await Promise.all([
      run(driver, 'RPUSH', 'list', 'a'),
      driver.batch([{ args: ['RPUSH', 'list', 'b'] }], true, attempt()),
      run(driver, 'RPUSH', 'list', 'c'),
      driver.batch([{ args: ['RPUSH', 'list', 'd'] }], false, attempt()),
      run(driver, 'LRANGE', 'list', 0, -1),
    ])
    expect(replies.at(-1)).toEqual(['a', 'b', 'c', 'd'])
  })

  test('what nobody waits for any more does not run', async () => {
    const driver = memory()
    const late = attempt()
    late.over = true
    await expect(driver.execute({ args: ['SET', 'a', 1] }, late)).rejects.toThrow()
    await expect(driver.batch([{ args: ['SET', 'a', 1] }], false, late)).rejects.toThrow()
    expect(late.sent).toBe(false)
    expect(await run(driver, 'DBSIZE')).toBe(0)
  })
})

describe('blocking', () => {
  test('those who wait are served in the order in which they came', async () => {
    const driver = memory()
    const first = run(driver, 'BLPOP', 'a', 'b', 0)
    const second = run(driver, 'BRPOP', 'b', 0)
    expect(await run(driver, 'RPUSH', 'b', '1', '2', '3')).toBe(3)
    expect(await first).toEqual(['b', '1'])
    expect(await second).toEqual(['b', '3'])
    expect(await run(driver, 'LRANGE', 'b', 0, -1)).toEqual(['2'])
  })

  test('a transaction is seen as a whole: what it takes back wakes nobody', async () => {
    const driver = memory()
    const waiting = run(driver, 'BLPOP', 'list', 0)
    const commands = [
      ['RPUSH', 'list', 'a'],
      ['DEL', 'list'],
      ['RPUSH', 'list', 'b'],
    ]
    await driver.batch(
      commands.map((args) => ({ args })),
      true,
      attempt(),
    )
    expect(await waiting).toEqual(['list', 'b'])
  })

  test('one who has left takes nothing', async () => {
    const driver = memory()
    const gone = attempt()
    const waiting = driver.execute({ args: ['BLPOP', 'list', 0] }, gone)
    gone.onCancel?.()
    expect(await run(driver, 'RPUSH', 'list', 'a')).toBe(1)
    await expect(waiting).rejects.toThrow()
    expect(await run(driver, 'LLEN', 'list')).toBe(1)
  })

  test('the wait ends with nothing when its time is over', async () => {
    const driver = memory()
    expect(await run(driver, 'BLPOP', 'list', '0.01')).toBeNull()
    expect(await run(driver, 'XREAD', 'BLOCK', 10, 'STREAMS', 's', '$')).toBeNull()
    await run(driver, 'RPUSH', 'list', 'a')
    expect(await run(driver, 'LLEN', 'list')).toBe(1)
  })

  test('a reader gets what comes after it began to wait, and every reader gets it', async () => {
    const clock = movable(5)
    const driver = memory({ clock })
    await run(driver, 'XADD', 's', '*', 'n', 1)
    const readers = [0, 0].map(() => run(driver, 'XREAD', 'BLOCK', 0, 'STREAMS', 's', '$'))
    await run(driver, 'XADD', 's', '*', 'n', 2)
    for (const reader of readers) expect(await reader).toEqual([['s', [['5-1', ['n', '2']]]]])
  })

  test('the client ends the wait at its deadline and the driver keeps nothing of it', async () => {
    const redis = new Redis(memory(), { logger: false })
    const waiting = redis.command(['BLPOP', 'list', 0], { timeoutMs: 20 })
    await expect(waiting).rejects.toMatchObject({ kind: 'timeout' })
    await redis.rpush('list', 'a')
    expect(await redis.llen('list')).toBe(1)
  })
})

describe('streams', () => {
  test('IDs follow the clock, and go on where it stands still or goes back', async () => {
    const clock = movable(100)
    const driver = memory({ clock })
    const add = () => run(driver, 'XADD', 's', '*', 'f', 'v')
    expect([await add(), await add()]).toEqual(['100-0', '100-1'])
    clock.now = 50
    expect(await add()).toBe('100-2')
    clock.now = 101
    expect(await add()).toBe('101-0')
  })

  test('approximate trimming leaves at most a node too many, as Redis does', async () => {
    const driver = memory()
    for (let i = 0; i < 350; i++) {
      await run(driver, 'XADD', 's', 'MAXLEN', '~', 120, `${i + 1}-1`, 'f', i)
    }
    expect(await run(driver, 'XLEN', 's')).toBeLessThan(221)
    expect(await run(driver, 'XLEN', 's')).toBeGreaterThanOrEqual(120)
    expect(await run(driver, 'XTRIM', 's', 'MAXLEN', 120)).toBeGreaterThanOrEqual(0)
    expect(await run(driver, 'XLEN', 's')).toBe(120)
  })
})

describe('publish and subscribe', () => {
  test('a message reaches the channels and the patterns that match, in order', async () => {
    const driver = memory()
    const byName = await driver.subscribe(['news', 'news'], false, attempt())
    const byPattern = await driver.subscribe(['n*', '*s', 'x*'], true, attempt())
    expect(await run(driver, 'PUBLISH', 'news', 'é')).toBe(3)
    expect(await run(driver, 'PUBLISH', 'nothing', 'b')).toBe(1)
    expect(await byName.next()).toEqual({ channel: 'news', message: 'é' })
    expect([await byPattern.next(), await byPattern.next(), await byPattern.next()]).toEqual([
      { channel: 'news', pattern: 'n*', message: 'é' },
      { channel: 'news', pattern: '*s', message: 'é' },
      { channel: 'nothing', pattern: 'n*', message: 'b' },
    ])
  })

  test('a reader that is too far behind gets what was kept, and then an error', async () => {
    const driver = memory()
    const slow = await driver.subscribe(['c'], false, attempt())
    let reached = 0
    for (let i = 0; i < 10_001; i++) reached = (await run(driver, 'PUBLISH', 'c', i)) as number
    expect(reached).toBe(1)
    expect(await run(driver, 'PUBLISH', 'c', 'after')).toBe(0)
    for (let i = 0; i < 10_000; i++) expect((await slow.next()).message).toBe(String(i))
    expect(await slow.next().catch(failureKind)).toBe('throttled')
  })

  test('after close there are no more messages', async () => {
    const driver = memory()
    const subscription = await driver.subscribe(['c'], false, attempt())
    const waiting = subscription.next().catch(failureKind)
    await subscription.close()
    expect(await waiting).toBe('closed')
    expect(await subscription.next().catch(failureKind)).toBe('closed')
    expect(await run(driver, 'PUBLISH', 'c', 'a')).toBe(0)
  })
})

describe('lifecycle', () => {
  test('drivers share nothing; clients of one driver share its data', async () => {
    const driver = memory()
    const [a, b] = [new Redis(driver, { logger: false }), new Redis(driver, { logger: false })]
    await a.set('key', 'v')
    expect(await b.get('key')).toBe('v')
    expect(await new Redis(memory(), { logger: false }).get('key')).toBeNull()
    expect(await a.native()).toMatchObject({ size: 1 })
  })

  test('close ends subscriptions and waits, and refuses what comes later', async () => {
    const driver = memory()
    const subscription = await driver.subscribe(['c'], false, attempt())
    const message = subscription.next().catch(failureKind)
    const item = run(driver, 'BLPOP', 'list', 0).catch(failureKind)
    await driver.close()
    expect(await message).toBe('closed')
    expect(await item).toBe('closed')
    expect(await run(driver, 'PING').catch(failureKind)).toBe('closed')
    expect(await driver.ping(attempt()).catch(failureKind)).toBe('closed')
  })
})

// The same commands, here and on a real Redis ------------------------------------------------------

const redis = await engine('redis-process')

describe('beside a real Redis', needs(redis), () => {
  const client = redis.missing
    ? undefined
    : new Client(redis.url, { protocol: 2, stringNumbers: true, lazyConnect: true })
  afterAll(() => client?.disconnect())

  test('any sequence of commands gets the same replies', { timeout: 60_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyCommand, { minLength: 1, maxLength: 30 }), async (sequence) => {
        const driver = memory()
        await client?.flushall()
        const theirs = client?.pipeline()
        for (const [name, ...args] of sequence) {
          theirs?.callBuffer(name as string, ...(args as (string | Buffer)[]))
        }
        const replies = (await theirs?.exec()) ?? []
        for (const [i, command] of sequence.entries()) {
          const mine = await runBytes(driver, ...command).then(comparable, errorText)
          const [error, reply] = replies[i] as [Error | null, unknown]
          const real = error === null ? comparable(reply) : errorText(error)
          expectAlike(command, mine, real)
        }
      }),
      { numRuns: 300 },
    )
  })
})

type Comparable = string | null | Comparable[]

function errorText(error: Error): string {
  return `error ${error.message}`
}

/** Status, bulk and integer replies as text of one byte a character. */
function comparable(reply: unknown): Comparable {
  if (Array.isArray(reply)) return reply.map(comparable)
  if (reply instanceof Uint8Array) return Buffer.from(reply).toString('latin1')
  return reply === null ? null : String(reply)
}

const anyOrder = /^(KEYS|HKEYS|HVALS|SMEMBERS|SUNION|SINTER|SDIFF|SPOP|SRANDMEMBER)$/
const clocked = /^(P?TTL|P?EXPIRETIME)$/

function expectAlike([name, ...args]: readonly Arg[], mine: Comparable, real: Comparable): void {
  const shown = `${name} ${args.map((arg) => JSON.stringify(arg)).join(' ')}`
  if (clocked.test(String(name)) && Number(real) > 0) {
    expect(Math.abs(Number(mine) - Number(real)), shown).toBeLessThan(10_000)
  } else {
    expect(ordered(String(name), mine), shown).toEqual(ordered(String(name), real))
  }
}

function ordered(name: string, reply: Comparable): Comparable {
  if (!Array.isArray(reply)) return reply
  if (name === 'ZSCAN') {
    // How Redis writes a large score here depends on how it holds the set.
    const items = reply.flat().map((item) => (Number(item) > 1e15 ? Number(item) : item))
    return items.map(String)
  }
  if (name.endsWith('SCAN')) {
    return [reply[0] ?? null, ordered(name === 'HSCAN' ? 'HGETALL' : 'KEYS', reply[1] ?? null)]
  }
  if (anyOrder.test(name)) return reply.map(String).toSorted()
  if (name !== 'HGETALL') return reply
  return reply.flatMap((item, i) => (i % 2 === 0 ? `${item}=${reply[i + 1]}` : [])).toSorted()
}

/** What the words of the forms below stand for. Times are far off, so that both sides see the same. */
const words: Record<string, readonly Arg[]> = {
  key: ['k1', 'k2', 'k3', Buffer.from([0x6b, 0xff])],
  value: [
    '',
    'a',
    'b',
    'c',
    '1',
    '-5',
    '3.25',
    '1e3',
    ' 1',
    'é',
    '9223372036854775807',
    Buffer.from([0, 255]),
  ],
  int: [
    '0',
    '1',
    '2',
    '-1',
    '-2',
    '-100',
    '100',
    '9223372036854775807',
    '-9223372036854775808',
    'x',
    '1.5',
    '01',
  ],
  small: ['0', '1', '2', '3', '-1', '-2', 'x'],
  float: [
    '1',
    '-2.5',
    '0.1',
    '0.2',
    '3000',
    '1e20',
    '1e-7',
    '.5',
    '2.',
    'inf',
    '-INF',
    'nan',
    '1e',
    '',
  ],
  score: ['0', '1', '1', '2', '-1', '0.1', '1e20', '1e17', '12345678.9', 'inf', '-inf', 'x'],
  bound: ['-inf', '+inf', '0', '1', '(1', '(2', '2', '(-1', 'x'],
  lex: ['-', '+', '[a', '(a', '[b', '(b', '[c', 'a'],
  ttl: ['100000', '500000', '0', '-1', 'x', '9223372036854775807', '9223372036854775'],
  at: ['1', '4000000000', '4500000000', '0', '-1', 'x'],
  id: [
    '1-1',
    '2-1',
    '2-2',
    '3',
    '3-*',
    '4-*',
    '5-0',
    '0-0',
    '0-*',
    '18446744073709551615-18446744073709551615',
    'x',
  ],
  end: [
    '-',
    '+',
    '0',
    '1',
    '1-1',
    '(1-1',
    '2-1',
    '(2',
    '3',
    '(0-0',
    '(18446744073709551615-18446744073709551615',
    'x',
  ],
  glob: ['*', 'k*', 'k?', 'k[12]', 'k[^1]', '[a-b]', '\\k1', 'a', 'k[1', '*1*', ''],
  offset: ['0', '1', '5', '-1', 'x'],
  tiny: ['-0.5', 'x'],
}

/** `?` may be missing, `*` comes up to three times, `+` one to three; `A/B` is one of them. */
const forms = `
GET key | SET key value | SET key value NX/XX/GET/KEEPTTL* | SET key value EX/PX ttl NX/XX/GET/KEEPTTL*
SET key value EXAT/PXAT at | GETDEL key | GETEX key | GETEX key EX/PX ttl | GETEX key EXAT/PXAT at | GETEX key PERSIST
SETNX key value | SETEX key ttl value | PSETEX key ttl value | GETSET key value | MGET key+ | MSET key value key? value?
MSETNX key value key? value? | APPEND key value | STRLEN key | GETRANGE key int int | SETRANGE key small value
INCR key | DECR key | INCRBY key int | DECRBY key int | INCRBYFLOAT key float
DEL key+ | UNLINK key+ | EXISTS key+ | TOUCH key+ | TYPE key | RENAME key key | RENAMENX key key
COPY key key | COPY key key REPLACE/X | COPY key key DB 0 | KEYS glob | SCAN 0 COUNT 1000 | SCAN 0 MATCH glob COUNT 1000
SCAN 0 COUNT 1000 TYPE string/hash/list/set/zset/stream | SCAN 0 COUNT 0/x | FLUSHDB X? | PING value? value? | ECHO value
EXPIRE key ttl | PEXPIRE key ttl | EXPIREAT key at NX/XX/GT/LT* | PEXPIREAT key at NX/XX/GT/LT/X*
TTL key | PTTL key | EXPIRETIME key | PEXPIRETIME key | PERSIST key
HSET key value value value? value? | HMSET key value value value? value? | HSETNX key value value | HGET key value | HMGET key value+
HGETALL key | HDEL key value+ | HEXISTS key value | HINCRBY key value int | HINCRBYFLOAT key value float
HKEYS key | HVALS key | HLEN key | HSTRLEN key value | HSCAN key 0/x | HSCAN key 0 MATCH glob | HSCAN key 0 COUNT small
LPUSH key value+ | RPUSH key value+ | LPUSHX key value+ | RPUSHX key value+ | LPOP key small? | RPOP key small? | LPOP key small small
LRANGE key int int | LLEN key | LINDEX key int | LSET key small value | LINSERT key BEFORE/AFTER/X value value
LREM key small value | LTRIM key small small | LMOVE key key LEFT/RIGHT LEFT/RIGHT/X | RPOPLPUSH key key
LPOS key value | LPOS key value RANK/COUNT/MAXLEN/X small | LPOS key value RANK small COUNT small | BLPOP key tiny | BRPOP key tiny
SADD key value+ | SREM key value+ | SMEMBERS key | SISMEMBER key value | SMISMEMBER key value+ | SCARD key
SPOP key 0/100/x/-1 | SRANDMEMBER key 0/100/x | SMOVE key key value | SUNION key+ | SINTER key+ | SDIFF key+
SUNIONSTORE key key+ | SINTERSTORE key key+ | SDIFFSTORE key key+ | SSCAN key 0/x | SSCAN key 0 MATCH glob
ZADD key score value | ZADD key score value score value | ZADD key NX/XX/GT/LT/CH/INCR+ score value | ZADD key NX/XX/GT/LT/CH/INCR* score value score? value?
ZREM key value+ | ZSCORE key value | ZMSCORE key value+ | ZRANK key value | ZREVRANK key value | ZCARD key
ZCOUNT key bound bound | ZLEXCOUNT key lex lex | ZINCRBY key score value | ZRANGE key int int WITHSCORES/REV/X*
ZRANGE key bound bound BYSCORE REV/WITHSCORES* | ZRANGE key bound bound BYSCORE LIMIT offset offset REV/WITHSCORES*
ZRANGE key lex lex BYLEX REV/WITHSCORES* | ZRANGE key small small LIMIT offset offset | ZREVRANGE key int int WITHSCORES?
ZRANGEBYSCORE key bound bound WITHSCORES/REV? | ZREVRANGEBYSCORE key bound bound WITHSCORES? LIMIT offset offset
ZRANGEBYLEX key lex lex | ZREVRANGEBYLEX key lex lex | ZREMRANGEBYSCORE key bound bound | ZREMRANGEBYRANK key int int
ZREMRANGEBYLEX key lex lex | ZPOPMIN key small? | ZPOPMAX key small? | ZPOPMIN key small small | ZSCAN key 0 | ZSCAN key 0 MATCH glob
XADD key id value value | XADD key NOMKSTREAM id value value | XADD key MAXLEN/MINID =? small id value value | XADD key id value value value
XADD key MAXLEN ~ small LIMIT small id value value | XADD key LIMIT small id value value | XADD key MINID id MAXLEN small id value value
XLEN key | XRANGE key end end | XRANGE key end end COUNT/X small? | XREVRANGE key end end | XREVRANGE key end end COUNT small
XDEL key id+ | XTRIM key MAXLEN/MINID =? id/small | XTRIM key MAXLEN ~/= small LIMIT small | XTRIM key X X
XREAD STREAMS key end | XREAD STREAMS key key end end | XREAD COUNT small STREAMS key end | XREAD BLOCK x/-1 STREAMS key 0
XREAD COUNT/X small STREAMS key key 0 $/x/> | XREAD STREAMS key key 0 | EVALUATE key* | GET | MSET key | SET key value EX
`

function word(form: string): fc.Arbitrary<Arg[]> {
  const [, names = '', repeat] = /^(.+?)([?*+]?)$/.exec(form) as unknown as [string, string, string]
  const choices = names.split('/').flatMap((name) => words[name] ?? [name])
  const minLength = repeat === '?' || repeat === '*' ? 0 : 1
  const maxLength = repeat === '*' || repeat === '+' ? 3 : 1
  return fc.array(fc.constantFrom(...choices), { minLength, maxLength })
}

const anyCommand: fc.Arbitrary<Arg[]> = fc.oneof(
  ...forms
    .trim()
    .split(/ \| |\n/)
    .map((form) => fc.tuple(...form.split(' ').map(word)).map((args) => args.flat())),
)
