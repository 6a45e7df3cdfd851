import { once } from 'node:events'
import fc from 'fast-check'
import { afterAll, afterEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { type GatewayOptions, gateway } from '../../adapters/scylladb/gateway.ts'
import { type InfraError, isInfraError } from '../../src/core/index.ts'
import { ScyllaDB, type ScyllaOptions } from '../../src/scylladb/index.ts'
import { failureInTime as failure } from '../chaos/failure.ts'
import {
  badGateway,
  cutShort,
  drip,
  garbage,
  type Handler,
  json,
  reset,
  serve,
  silence,
  throttled,
} from '../chaos/http.ts'
import { startProxy } from '../chaos/proxy.ts'
import { engine, needs } from '../engines/index.ts'
import { ownKeyspace } from '../engines/own.ts'
import { startScylladbGateway } from '../gateway/scylladb-gateway.ts'
import { token } from '../gateway/scylladb-scripted.ts'

const select = 'SELECT a FROM k.t'
const insert = 'INSERT INTO k.t (a) VALUES (?)'
/** What may not be sent twice. */
const condition = 'INSERT INTO k.t (a) VALUES (?) IF NOT EXISTS'

function open(options: GatewayOptions, clientOptions: ScyllaOptions = {}): ScyllaDB {
  const client = new ScyllaDB(gateway({ token, ...options }), {
    logger: false,
    breaker: false,
    drainTimeoutMs: 1000,
    ...clientOptions,
  })
  onTestFinished(() => client.close())
  return client
}

/** A client of a server that answers as told, from the start or once the test says how. */
async function against(handler: Handler, options: ScyllaOptions = {}) {
  const server = await serve(handler)
  onTestFinished(() => server.close())
  return { server, client: open({ url: server.url }, options) }
}

const text = (body: string, status = 200): Handler => {
  return (_, response) => response.writeHead(status).end(body)
}
const nothing = { columns: [], rows: [], warnings: [] }
const works = json(nothing)
const column = { name: 'a', type: 'int' }
const nested = `${'['.repeat(10_000)}${']'.repeat(10_000)}`

interface Case {
  readonly handler: Handler
  readonly kind: string
  /** Of a lightweight transaction. */
  readonly outcome: string
  /** What is sent for one, retries included. Default: 1. */
  readonly requests?: number
}

const cases: Record<string, Case> = {
  'a server that accepts and never answers': {
    handler: silence,
    kind: 'timeout',
    outcome: 'unknown',
  },
  'a server that drips': {
    handler: drip(JSON.stringify(nothing), 50),
    kind: 'timeout',
    outcome: 'unknown',
  },
  'a reset before the reply': { handler: reset, kind: 'unavailable', outcome: 'unknown' },
  'a reply that is garbage': { handler: garbage, kind: 'internal', outcome: 'unknown' },
  'a reply that is cut short': {
    handler: cutShort(JSON.stringify(nothing)),
    kind: 'unavailable',
    outcome: 'unknown',
  },
  'the error page of a proxy': { handler: badGateway, kind: 'unavailable', outcome: 'unknown' },
  'a page of some other server': {
    handler: text('<!doctype html><title>secret</title>'),
    kind: 'internal',
    outcome: 'unknown',
  },
  'a page that is not there': {
    handler: text('secret', 404),
    kind: 'config',
    outcome: 'not-applied',
  },
  'a redirect': {
    handler: (_, response) => response.writeHead(307, { location: 'http://127.0.0.1:1/' }).end(),
    kind: 'config',
    outcome: 'not-applied',
  },
  'status 401': { handler: text('secret', 401), kind: 'unauthenticated', outcome: 'not-applied' },
  'status 403': { handler: text('secret', 403), kind: 'forbidden', outcome: 'not-applied' },
  'status 413': { handler: text('secret', 413), kind: 'invalid', outcome: 'not-applied' },
  'status 500': { handler: text('secret', 500), kind: 'unavailable', outcome: 'unknown' },
  'status 504': { handler: text('[]', 504), kind: 'timeout', outcome: 'unknown' },
  'status 429 without a hint': {
    handler: json({ error: { detail: 'secret' } }, 429),
    kind: 'throttled',
    outcome: 'not-applied',
    requests: 3,
  },
  'an empty reply': { handler: text(''), kind: 'internal', outcome: 'unknown' },
  'a reply that is null': { handler: text('null'), kind: 'internal', outcome: 'unknown' },
  'a reply that is a list': { handler: text('[]'), kind: 'internal', outcome: 'unknown' },
  'a reply without warnings': {
    handler: json({ columns: [], rows: [] }),
    kind: 'internal',
    outcome: 'unknown',
  },
  'a row that is shorter than the columns': {
    handler: json({ ...nothing, columns: [column], rows: [[]] }),
    kind: 'internal',
    outcome: 'unknown',
  },
  'a value that is none': {
    handler: json({ ...nothing, columns: [column], rows: [[{ secret: 1 }]] }),
    kind: 'internal',
    outcome: 'unknown',
  },
  'a value nested 10,000 deep': {
    handler: text(`{"columns":[{"name":"a","type":"t"}],"rows":[[${nested}]],"warnings":[]}`),
    kind: 'internal',
    outcome: 'unknown',
  },
  'a column without a type': {
    handler: json({ ...nothing, columns: [{ name: 'a' }], rows: [[1]] }),
    kind: 'internal',
    outcome: 'unknown',
  },
  'a paging state that is not base64': {
    handler: json({ ...nothing, pagingState: '*' }),
    kind: 'internal',
    outcome: 'unknown',
  },
  'an error nested 10,000 deep': {
    handler: text(`{"error":${nested}}`, 500),
    kind: 'unavailable',
    outcome: 'unknown',
  },
}

describe('the gateway adapter against a server that fails', () => {
  test.each(Object.entries(cases))('%s', async (_, { handler, kind, outcome, requests = 1 }) => {
    const { server, client } = await against(handler)
    const timeoutMs = kind === 'timeout' ? 200 : 5000
    const code = `SCYLLADB_${kind.toUpperCase()}`
    const write = await failure(client.execute(condition, [1], { timeoutMs }), timeoutMs)
    expect(write).toMatchObject({ kind, code, outcome })
    expect(write.message).not.toContain('secret')
    expect(server.requests).toHaveLength(requests)
    const read = await failure(client.execute(select, [], { timeoutMs }), timeoutMs)
    expect(read).toMatchObject({ kind, code, outcome: 'not-applied' })
    expect(read.message).not.toContain('secret')
    server.handler = works
    await client.execute(insert, [1])
  })

  test('whatever it answers, an error of ours or a result comes out', async () => {
    const { server, client } = await against(works, { retry: false })
    const reply = fc.oneof(
      fc.json(),
      fc.string(),
      fc
        .record(
          {
            columns: fc.oneof(fc.constant([column]), fc.jsonValue()),
            rows: fc.oneof(fc.array(fc.array(fc.jsonValue())), fc.jsonValue()),
            pagingState: fc.oneof(fc.base64String(), fc.jsonValue()),
            warnings: fc.oneof(fc.constant([]), fc.jsonValue()),
            error: fc.jsonValue(),
          },
          { requiredKeys: ['warnings'] },
        )
        .map((value) => JSON.stringify(value)),
    )
    const header = fc.oneof(
      fc.constant(undefined),
      fc.constant('SCYLLADB_TIMEOUT;unknown'),
      fc.string({ maxLength: 30 }).map((text) => text.replace(/[^ -~]/g, '')),
    )
    await fc.assert(
      fc.asyncProperty(
        reply,
        header,
        fc.constantFrom(200, 200, 400, 500),
        async (reply, header, status) => {
          server.handler = (_, response) =>
            response
              .writeHead(status, header === undefined ? {} : { 'dualport-error': header })
              .end(reply)
          const result = await client
            .reply(select, [], undefined, undefined)
            .catch((error: unknown) => error)
          if (result instanceof Error && !isInfraError(result)) throw result
        },
      ),
      { numRuns: 300 },
    )
  })

  test('a write without a condition is sent again, with the same timestamp', async () => {
    const { server, client } = await against(reset, { retry: { baseMs: 1, maxMs: 2 } })
    expect(await failure(client.execute(insert, [1]))).toMatchObject({ outcome: 'unknown' })
    const bodies = server.requests.map(({ body }) => JSON.parse(body))
    expect(bodies).toHaveLength(3)
    expect(bodies[0].timestamp).toMatch(/^\d{16}$/)
    expect(new Set(bodies.map(({ timestamp }) => timestamp)).size).toBe(1)
  })

  test.each([
    ['a condition', condition],
    ['a counter', 'UPDATE k.c SET n = n + ? WHERE a = 1'],
    ['a function that gives another value each time', 'INSERT INTO k.t (a, b) VALUES (?, now())'],
  ])('what has %s is sent once', async (_, cql) => {
    const { server, client } = await against(reset)
    await failure(client.execute(cql, [1]))
    expect(server.requests).toHaveLength(1)
  })

  test('a redirect is not followed: the token and the values stay here', async () => {
    const { server: elsewhere } = await against(works)
    for (const status of [301, 302, 303, 307, 308]) {
      const { server, client } = await against((_, response) => {
        response.writeHead(status, { location: elsewhere.url }).end()
      })
      expect(await failure(client.execute(insert, [1]))).toMatchObject({ code: 'SCYLLADB_CONFIG' })
      expect(server.requests).toHaveLength(1)
    }
    expect(elsewhere.requests).toHaveLength(0)
  })

  test('429 with Retry-After: it is sent again when it may be, or fails at once', async () => {
    const { server, client } = await against(throttled('1'))
    const arrivals: number[] = []
    server.on('request', () => arrivals.push(performance.now()))
    const written = client.execute(condition, [1])
    await once(server, 'request')
    server.handler = works
    await written
    // A timer may be a fraction of a millisecond early.
    expect(arrivals[1]! - arrivals[0]!).toBeGreaterThan(990)
    server.handler = throttled('60')
    expect(await failure(client.execute(condition, [1]), 1000)).toMatchObject({
      code: 'SCYLLADB_THROTTLED',
      outcome: 'not-applied',
      retryAfterMs: 60_000,
    })
  })

  test('what the gateway says of a failure comes out as it was', async () => {
    const failing = (header: string, error: object) =>
      json({ error }, 503, { 'dualport-error': header })
    const { server, client } = await against(
      failing('SCYLLADB_TIMEOUT;unknown;60000', { detail: '1 of 2 replicas', retryable: false }),
    )
    expect(await failure(client.execute(condition, [1]))).toMatchObject({
      kind: 'timeout',
      outcome: 'unknown',
      retryable: false,
      retryAfterMs: 60_000,
      detail: '1 of 2 replicas',
    })
    expect(server.requests).toHaveLength(1)
    for (const detail of ['a\nforged line', 'x'.repeat(501), '', 7, { toString: 1 }]) {
      server.handler = failing('SCYLLADB_INVALID;not-applied', { detail, retryable: 'yes' })
      expect(await failure(client.execute(condition, [1]))).toMatchObject({
        message: 'scylladb INSERT IF: invalid',
        retryable: false,
      })
    }
    server.handler = failing('SCYLLADB_BEWITCHED;unknown', {})
    expect(await failure(client.execute(select))).toMatchObject({ code: 'SCYLLADB_INTERNAL' })
  })

  test('a cancelled call ends its request; so does a deadline, and closing the client', async () => {
    const { server, client } = await against(silence)
    const abort = new AbortController()
    const cancelled = failure(client.execute(condition, [1], { signal: abort.signal }))
    await once(server, 'request')
    const abandoned = once(server, 'abandoned')
    abort.abort()
    expect(await cancelled).toMatchObject({ kind: 'aborted', outcome: 'unknown' })
    await abandoned
    const late = once(server, 'abandoned')
    expect(await failure(client.execute(select, [], { timeoutMs: 100 }), 100)).toMatchObject({
      kind: 'timeout',
    })
    await late
    const call = failure(client.execute(select))
    await once(server, 'request')
    const closed = once(server, 'abandoned')
    await client.close()
    await call
    await closed
  })

  test('the deadline travels along', async () => {
    const { server, client } = await against(works)
    await client.execute(select, [], { timeoutMs: 700 })
    const left = Number(server.requests[0]!.headers['dualport-timeout-ms'])
    expect(left).toBeGreaterThan(0)
    expect(left).toBeLessThanOrEqual(700)
  })

  test('a server that is not there: nothing was sent', async () => {
    const { server, client } = await against(works, { retry: false })
    await server.close()
    expect(await failure(client.execute(condition, [1]))).toMatchObject({
      kind: 'unavailable',
      outcome: 'not-applied',
    })
    await server.listen()
  })

  test('hosts that make no sense', async () => {
    const { server, client } = await against(json({ up: 2, total: 3 }))
    expect(await client.hosts()).toEqual({ up: 2, total: 3 })
    for (const hosts of [{ up: 3, total: 2 }, { up: '1', total: 2 }, { up: 0.5, total: 1 }, {}]) {
      server.handler = json(hosts)
      expect(await failure(client.hosts())).toMatchObject({ code: 'SCYLLADB_INTERNAL' })
    }
  })
})

describe('credentials and options', () => {
  test('a token function is asked once it is needed, and again when its answer was refused', async () => {
    const server = await serve((request, response) =>
      (request.headers.authorization === 'Bearer token-2' ? works : text('', 401))(
        request,
        response,
      ),
    )
    onTestFinished(() => server.close())
    let asked = 0
    const client = open({ url: server.url, token: async () => `token-${++asked}` })
    expect(asked).toBe(0)
    await client.execute(condition, [1])
    await client.execute(condition, [1])
    expect(asked).toBe(2)
  })

  test('a token function that fails: nothing was sent, and its words are not in the error', async () => {
    const { server } = await against(works)
    const token = () => Promise.reject(new Error('secret'))
    const client = open({ url: server.url, token }, { retry: false })
    const error = await failure(client.execute(condition, [1]))
    expect(error).toMatchObject({ kind: 'unavailable', outcome: 'not-applied' })
    expect(error.message).not.toContain('secret')
    expect(server.requests).toHaveLength(0)
  })

  test('what is no value is refused before anything is sent', async () => {
    const { server, client } = await against(works)
    const parameters = [() => {}, Symbol('a'), new Date(Number.NaN), '\ud800']
    for (const parameter of parameters) {
      expect(await failure(client.execute(insert, [parameter as never]))).toMatchObject({
        code: 'SCYLLADB_INVALID',
        outcome: 'not-applied',
      })
    }
    expect(server.requests).toHaveLength(0)
  })

  test.each([
    ['a URL that is none', { url: 'secret' }],
    ['a URL of TCP', { url: 'cql://host/secret' }],
    ['a URL with a password', { url: 'https://user:secret@host/' }],
    ['a token that cannot be sent', { url: 'https://host', token: 'se\ncret' }],
    ['an option that there is not', { url: 'https://host', tokken: 'secret' }],
    ['a keyspace that is no name', { url: 'https://host', keyspace: '' }],
    ['a keyspace that is no text', { url: 'https://host', keyspace: ['secret'] }],
  ])('%s is a mistake in the configuration', (_, options) => {
    const make = () => gateway(options as GatewayOptions)
    expect(make).toThrow(expect.objectContaining({ code: 'SCYLLADB_CONFIG' }))
    expect(make).not.toThrow(/secret/)
  })
})

const server = await engine('cassandra-process')
const keyspace = await ownKeyspace(server)

describe('through a gateway that fails', needs(server), async () => {
  if (server.missing !== undefined) {
    test('fails well', () => {})
    return
  }
  const served = await startScylladbGateway(server, keyspace)
  const { direct, attempts, open: connect } = served
  const proxy = await startProxy(served.port)
  afterEach(() => proxy.setMode('pass'))
  afterAll(() => proxy.close())
  const url = `http://127.0.0.1:${proxy.port}/scylladb`
  await direct.execute('CREATE TABLE things (a int PRIMARY KEY, b int)')
  await direct.execute('CREATE TABLE counters (a int PRIMARY KEY, n counter)')
  const all = 'SELECT a FROM things'
  const add = 'UPDATE counters SET n = n + 1 WHERE a = ?'
  const claim = 'INSERT INTO things (a) VALUES (?) IF NOT EXISTS'
  const counted = async (a: number) => {
    const row = await direct.maybeOne<{ n: bigint }>('SELECT n FROM counters WHERE a = ?', [a])
    return row?.n ?? 0n
  }
  const stored = async (a: number) =>
    (await direct.maybeOne('SELECT a FROM things WHERE a = ?', [a])) !== null
  /** Requests that arrived at the proxy since it had `sent` chunks. */
  const requests = (sent: number) =>
    Buffer.concat(proxy.received.slice(sent)).toString('latin1').split('POST /scylladb/').length - 1
  const retrying = { retry: { retries: 2, baseMs: 1, maxMs: 2 } }

  test('a gateway that is down: nothing was applied, and the next call works when it is back', async () => {
    const client = connect({ url })
    await client.execute(all)
    await proxy.setMode('refuse')
    const errors: InfraError[] = []
    // The first may still find the connection that broke.
    for (let i = 0; i < 3; i++) errors.push(await failure(client.execute(add, [1])))
    expect(errors.map(({ kind }) => kind)).toEqual(Array(3).fill('unavailable'))
    expect(errors[2]).toMatchObject({ outcome: 'not-applied', retryable: true })
    await proxy.setMode('pass')
    await client.execute(add, [1])
    expect(await counted(1)).toBe(1n)
  })

  test('a silent gateway: unknown by the deadline, and sent once', async () => {
    const client = connect({ url }, retrying)
    await client.execute(all)
    await proxy.setMode('blackhole')
    const sent = proxy.received.length
    const error = await failure(client.execute(add, [2], { timeoutMs: 300 }), 300)
    expect(error).toMatchObject({ kind: 'timeout', outcome: 'unknown' })
    expect(requests(sent)).toBe(1)
    await proxy.setMode('pass')
    await client.execute(add, [2])
    expect([1n, 2n]).toContain(await counted(2))
  })

  test.each([
    ['a counter', add, () => counted(3).then((n) => expect(n).toBe(1n))],
    ['a condition', claim, () => stored(3).then((is) => expect(is).toBe(true))],
  ])('a reply that is cut: %s may have been applied, and was sent once', async (_, cql, check) => {
    const client = connect({ url }, retrying)
    await client.execute(all)
    await proxy.setMode('cut')
    const sent = proxy.received.length
    expect(await failure(client.execute(cql, [3]))).toMatchObject({
      kind: 'unavailable',
      outcome: 'unknown',
    })
    expect(requests(sent)).toBe(1)
    await proxy.setMode('pass')
    await check()
  })

  test('what may be repeated is: the same timestamp, so the same effect', async () => {
    const client = connect({ url }, retrying)
    await client.execute(all)
    await proxy.setMode('cut')
    const sent = proxy.received.length
    const lost = client.execute('INSERT INTO things (a, b) VALUES (4, 1)')
    await once(proxy, 'reply')
    await failure(lost)
    expect(requests(sent)).toBe(3)
    await proxy.setMode('pass')
    const [row] = (await direct.execute('SELECT b, writetime(b) AS t FROM things WHERE a = 4')).rows
    expect(row?.b).toBe(1)
  })

  test('garbage, and a request that never arrives', async () => {
    const client = connect({ url })
    for (const [mode, kind] of [
      ['garbage', 'internal'],
      ['reset', 'unavailable'],
    ] as const) {
      await client.execute(all)
      await proxy.setMode(mode)
      const error = await failure(client.execute(add, [5]))
      expect(error).toMatchObject({ kind, outcome: 'unknown' })
      await proxy.setMode('pass')
    }
    expect(await counted(5)).toBe(0n)
  })

  test('a page whose reply is lost is asked for again, and no row is skipped', async () => {
    await direct.execute('CREATE TABLE pages (p int, n int, PRIMARY KEY (p, n))')
    const insert = 'INSERT INTO pages (p, n) VALUES (1, ?)'
    await direct.batch(Array.from({ length: 30 }, (_, n) => ({ cql: insert, parameters: [n] })))
    const client = connect({ url })
    const rows = client.stream<{ n: number }>('SELECT n FROM pages WHERE p = 1', [], {
      pageSize: 10,
    })
    const read = await rows.nextPage()
    await proxy.setMode('cut')
    await failure(rows.nextPage())
    await proxy.setMode('pass')
    for await (const row of rows) read.push(row)
    expect(read.map(({ n }) => n)).toEqual(Array.from({ length: 30 }, (_, n) => n))
  })

  test('a caller who is gone, or out of time, ends the wait at the gateway', async () => {
    const client = connect({ url })
    await client.execute(all)
    server.pause()
    try {
      // A process stops a moment after it is told to, and may still have answered.
      const abort = new AbortController()
      const asked = attempts.length
      const read = failure(client.execute(all, [], { signal: abort.signal }))
      await vi.waitFor(() => expect(attempts.length).toBeGreaterThan(asked))
      const attempt = attempts.at(-1)!
      abort.abort()
      await read
      await vi.waitFor(() => expect(attempt.over).toBe(true))
      const headers = { authorization: `Bearer ${token}`, 'dualport-timeout-ms': '200' }
      const late = await fetch(`${served.url}/execute`, {
        method: 'POST',
        headers,
        body: JSON.stringify({ cql: claim, parameters: [6] }),
      })
      expect(late.status).toBe(504)
      expect(late.headers.get('dualport-error')).toBe('SCYLLADB_TIMEOUT;unknown')
    } finally {
      server.resume()
    }
    await vi.waitFor(() => client.execute(all), { timeout: 15_000 })
  })

  test('an engine that is silent behind the gateway: unknown, by the deadline, and once', async () => {
    const client = connect({ url }, retrying)
    await client.execute(add, [7])
    server.pause()
    let error: InfraError
    try {
      error = await failure(client.execute(add, [7], { timeoutMs: 300 }), 300)
    } finally {
      server.resume()
    }
    expect(error).toMatchObject({ kind: 'timeout', outcome: 'unknown' })
    await vi.waitFor(() => client.execute(all), { timeout: 15_000 })
    expect([1n, 2n]).toContain(await counted(7))
  })

  test('an engine that is killed behind the gateway, and started again', async () => {
    const client = connect({ url })
    await client.execute(claim, [8])
    await server.kill()
    // The first may find the connection that broke.
    const errors: InfraError[] = []
    for (const a of [9, 9]) errors.push(await failure(client.execute(claim, [a])))
    expect(errors.map(({ kind }) => kind)).toEqual(['unavailable', 'unavailable'])
    expect(errors[1]).toMatchObject({ outcome: 'not-applied' })
    expect(await failure(client.health())).toMatchObject({ kind: 'unavailable' })
    await server.start()
    await vi.waitFor(() => client.health(), { timeout: 15_000 })
    await vi.waitFor(() => direct.health(), { timeout: 15_000 })
    expect([await stored(8), await stored(9)]).toEqual([true, false])
  }, 60_000)
})
