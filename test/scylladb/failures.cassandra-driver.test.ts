import { once } from 'node:events'
import { afterAll, afterEach, describe, expect, test } from 'vitest'
import {
  type CassandraDriverOptions,
  cassandraDriver,
} from '../../adapters/scylladb/cassandra-driver.ts'
import type { InfraError } from '../../src/core/index.ts'
import { ScyllaDB, type ScyllaOptions } from '../../src/scylladb/index.ts'
import { collectLines } from '../../src/testing/collect.ts'
import { failureInTime as failure, slackMs } from '../chaos/failure.ts'
import { startProxy } from '../chaos/proxy.ts'
import { startCassandra } from '../engines/cassandra.ts'
import { engine, needs } from '../engines/index.ts'
import { ownKeyspace } from '../engines/own.ts'

const server = await engine('cassandra-process')
const keyspace = await ownKeyspace(server)

const insert = 'INSERT INTO rows (k, n) VALUES (?, ?)'
const select = 'SELECT n FROM rows WHERE k = ?'
const add = 'UPDATE counters SET c = c + 1 WHERE k = ?'

describe('ScyllaDB over a connection that fails', {
  ...needs(server),
  timeout: 60_000,
}, async () => {
  if (server.missing !== undefined) {
    test('fails well', () => {})
    return
  }
  const { localDataCenter } = server
  const proxy = await startProxy(server.port)
  const clients: ScyllaDB[] = []
  const hosts = [`127.0.0.1:${proxy.port}`]
  const create = (options: ScyllaOptions = {}, more: Partial<CassandraDriverOptions> = {}) => {
    const client = new ScyllaDB(cassandraDriver({ hosts, localDataCenter, keyspace, ...more }), {
      logger: false,
      retry: false,
      breaker: false,
      ...options,
    })
    clients.push(client)
    return client
  }
  const direct = new ScyllaDB(cassandraDriver({ hosts: server.hosts, localDataCenter, keyspace }), {
    logger: false,
    timeoutMs: 20_000,
  })
  await direct.execute('CREATE TABLE rows (k text, n int, PRIMARY KEY (k, n))')
  await direct.execute('CREATE TABLE counters (k text PRIMARY KEY, c counter)')
  const rowsOf = async (k: string) => {
    const { rows } = await direct.execute<{ n: number }>(select, [k])
    return rows.map(({ n }) => n)
  }
  const counted = async (k: string) => {
    const row = await direct.maybeOne('SELECT c FROM counters WHERE k = ?', [k])
    return Number(row?.c ?? 0)
  }
  afterEach(async () => {
    await proxy.setMode('pass')
    await Promise.all(clients.splice(0).map((client) => client.close()))
    // Whatever happened to a client, none of its connections outlives it.
    await expect.poll(() => proxy.open, { timeout: 10_000 }).toBe(0)
  })
  afterAll(async () => {
    await direct.close()
    await proxy.close()
  })

  test('a write whose reply is cut may have been applied, and was sent once', async () => {
    const client = create({ retry: {} })
    await client.execute(add, ['cut'])
    await proxy.setMode('cut')
    const error = await failure(client.execute(add, ['cut']))
    expect(error).toMatchObject({ kind: 'unavailable', outcome: 'unknown' })
    await proxy.setMode('pass')
    await expect
      .poll(() =>
        client.execute(add, ['cut']).then(
          () => true,
          () => false,
        ),
      )
      .toBe(true)
    expect(await counted('cut')).toBe(3)
  })

  test('what is idempotent is sent again by itself', async () => {
    const client = create({ retry: { retries: 8 } })
    await client.execute(insert, ['again', 1])
    await proxy.setMode('cut')
    proxy.once('reply', () => void proxy.setMode('pass'))
    await client.execute(insert, ['again', 2])
    expect(await rowsOf('again')).toEqual([1, 2])
  })

  test('a counter is not sent again, whether or not it can be known to be applied', async () => {
    const client = create({ retry: { retries: 8 } })
    await client.execute(add, ['lost'])
    await proxy.setMode('reset')
    const errors: InfraError[] = []
    for (let i = 0; i < 5; i++) errors.push(await failure(client.execute(add, ['lost'])))
    // The first was sent; for the others there was no connection.
    expect(errors[0]).toMatchObject({ kind: 'unavailable', outcome: 'unknown' })
    expect(errors.at(-1)).toMatchObject({ kind: 'unavailable', outcome: 'not-applied' })
    expect(await counted('lost')).toBe(1)
  })

  test('a silent server: what was sent is unknown, and nothing is sent later', async () => {
    const client = create({ timeoutMs: 400 })
    // It connects and prepares: on a busy machine that takes its time.
    const patient = { timeoutMs: 10_000 }
    await client.execute(insert, ['silent', 0], patient)
    await client.execute(add, ['silent'], patient)
    await proxy.setMode('blackhole')
    const work = [
      ...Array.from({ length: 10 }, (_, i) => client.execute(insert, ['silent', i + 1])),
      client.execute(add, ['silent']),
    ]
    const errors = await Promise.all(work.map((each) => failure(each, 400)))
    for (const error of errors) {
      expect(error).toMatchObject({ kind: 'timeout', outcome: 'unknown', retryable: true })
    }
    // The connection was given up: on another one, nothing is heard either.
    await expect
      .poll(async () => (await failure(client.execute(insert, ['silent', 100]), 400)).outcome)
      .toBe('not-applied')
    await proxy.setMode('pass')
    await expect
      .poll(
        () =>
          client.execute(select, ['silent']).then(
            () => true,
            () => false,
          ),
        { timeout: 20_000 },
      )
      .toBe(true)
    expect(await counted('silent')).toBeLessThanOrEqual(2)
  })

  test('a write that nobody waits for any more before there is a connection is never sent', async () => {
    await proxy.setMode('blackhole')
    const client = create({ timeoutMs: 300 })
    const abort = new AbortController()
    const late = failure(client.execute(insert, ['unsent', 1]), 300)
    const aborted = failure(client.execute(insert, ['unsent', 2], { signal: abort.signal }))
    abort.abort()
    expect(await late).toMatchObject({ kind: 'timeout', outcome: 'not-applied' })
    expect(await aborted).toMatchObject({ kind: 'aborted', outcome: 'not-applied' })
    await proxy.setMode('pass')
    await client.execute(insert, ['unsent', 3], { timeoutMs: 10_000 })
    expect(await rowsOf('unsent')).toEqual([3])
  })

  test('a cancelled query ends at once, and so does its server’s answer for everybody else', async () => {
    const client = create()
    await client.execute(select, ['cancelled'])
    await proxy.setMode('blackhole')
    const abort = new AbortController()
    const cancelled = failure(client.execute(select, ['cancelled'], { signal: abort.signal }))
    const other = client.execute(select, ['cancelled'])
    await once(proxy, 'request')
    abort.abort()
    expect(await cancelled).toMatchObject({ kind: 'aborted', outcome: 'not-applied' })
    await proxy.setMode('pass')
    expect((await other).rows).toEqual([])
  })

  test('a server that is gone is unavailable at once, and the next call works when it is back', async () => {
    const client = create()
    await client.execute(insert, ['gone', 0])
    await proxy.setMode('refuse')
    const errors: InfraError[] = []
    for (let i = 1; i < 4; i++) errors.push(await failure(client.execute(insert, ['gone', i]), 0))
    expect(errors.map(({ kind }) => kind)).toEqual(['unavailable', 'unavailable', 'unavailable'])
    expect(errors[2]).toMatchObject({ outcome: 'not-applied' })
    expect(await failure(client.health())).toMatchObject({ kind: 'unavailable' })
    expect(await failure(client.health({ minUpShare: 1 }))).toMatchObject({ kind: 'unavailable' })
    await proxy.setMode('pass')
    await expect
      .poll(
        () =>
          client.health().then(
            () => true,
            () => false,
          ),
        { timeout: 20_000 },
      )
      .toBe(true)
    await client.execute(insert, ['gone', 9])
    expect(await rowsOf('gone')).toEqual([0, 9])
  })

  test('a client that began without a server works once there is one', async () => {
    await proxy.setMode('refuse')
    const client = create()
    const error = await failure(client.execute(insert, ['late', 1]), 0)
    expect(error).toMatchObject({ kind: 'unavailable', outcome: 'not-applied' })
    expect(error.message).toContain('ECONNREFUSED')
    await proxy.setMode('pass')
    await client.execute(insert, ['late', 1])
    expect(await rowsOf('late')).toEqual([1])
  })

  test('bytes that are no protocol are an error, and the next call works', async () => {
    const client = create({ timeoutMs: 2000 })
    await client.execute(insert, ['garbage', 0])
    await proxy.setMode('garbage')
    const error = await failure(client.execute(insert, ['garbage', 1]), 2000)
    expect(error.outcome).toBe('unknown')
    expect(['unavailable', 'timeout', 'internal']).toContain(error.kind)
    await proxy.setMode('pass')
    await expect
      .poll(
        () =>
          client.execute(select, ['garbage']).then(
            () => true,
            () => false,
          ),
        {
          timeout: 20_000,
        },
      )
      .toBe(true)
  })

  test('replies that come in pieces are whole', async () => {
    const client = create({ timeoutMs: 20_000 })
    for (let n = 0; n < 20; n++) await client.execute(insert, ['drip', n])
    await proxy.setMode({ dripBytes: 7 })
    const { rows } = await client.execute(select, ['drip'], { pageSize: 7 })
    expect(rows).toHaveLength(20)
  })

  test('a connection that was idle for long is replaced before use', async () => {
    const client = create({}, { maxIdleMs: 1 })
    await client.execute(insert, ['idle', 1])
    const before = proxy.connections
    await new Promise((resolve) => setTimeout(resolve, 5))
    await client.execute(insert, ['idle', 2])
    expect(proxy.connections).toBe(before + 1)
    await expect.poll(() => proxy.open).toBe(1)
    const patient = create({}, { profile: 'server', maxIdleMs: 1 })
    await patient.execute(insert, ['idle', 3])
    const opened = proxy.connections
    await new Promise((resolve) => setTimeout(resolve, 5))
    await patient.execute(insert, ['idle', 4])
    expect(proxy.connections).toBe(opened)
    expect(await rowsOf('idle')).toEqual([1, 2, 3, 4])
  })

  test('a server that stops for some seconds: each call ends by its deadline, and none is applied twice', async () => {
    const client = create({ timeoutMs: 500, retry: { retries: 3 } })
    await client.execute(add, ['paused'], { timeoutMs: 10_000 })
    server.pause()
    let sent = 1
    let known = 1
    try {
      const until = performance.now() + 6000
      while (performance.now() < until) {
        const error = await failure(client.execute(add, ['paused']), 500)
        expect(['timeout', 'unavailable']).toContain(error.kind)
        if (error.outcome === 'unknown') sent++
      }
    } finally {
      server.resume()
    }
    await expect
      .poll(
        () =>
          client.health().then(
            () => true,
            () => false,
          ),
        { timeout: 30_000 },
      )
      .toBe(true)
    await client.execute(add, ['paused'], { timeoutMs: 5000 })
    sent++
    known++
    const total = await counted('paused')
    expect(total).toBeGreaterThanOrEqual(known)
    expect(total).toBeLessThanOrEqual(sent)
  })

  test('a node that is killed during queries comes back, with the statements it has forgotten', async () => {
    const client = create({ timeoutMs: 2000 }, { hosts: server.hosts })
    await client.execute(add, ['killed'])
    let acknowledged = 1
    let uncertain = 0
    const { ended } = server
    const killing = server.kill()
    do {
      // A host that is down refuses at once, without I/O.
      await new Promise(setImmediate)
      await client.execute(add, ['killed']).then(
        () => acknowledged++,
        (error: InfraError) => {
          expect(['unavailable', 'timeout']).toContain(error.kind)
          if (error.outcome === 'unknown') uncertain++
        },
      )
    } while (!ended.aborted)
    await killing
    expect(await failure(client.execute(add, ['killed']), 2000)).toMatchObject({
      kind: 'unavailable',
      outcome: 'not-applied',
    })
    await server.start()
    await expect
      .poll(
        () =>
          client.health().then(
            () => true,
            () => false,
          ),
        { timeout: 30_000 },
      )
      .toBe(true)
    await client.execute(add, ['killed'], { timeoutMs: 10_000 })
    acknowledged++
    await expect
      .poll(() => counted('killed').catch(() => -1), { timeout: 30_000 })
      .toBeGreaterThanOrEqual(acknowledged)
    expect(await counted('killed')).toBeLessThanOrEqual(acknowledged + uncertain)
  })

  test('a statement whose table has changed is prepared anew', async () => {
    const client = create({ timeoutMs: 20_000 })
    await client.execute('CREATE TABLE changing (k int PRIMARY KEY, a int)')
    await client.execute('INSERT INTO changing (k, a) VALUES (?, ?)', [1, 1])
    const all = 'SELECT * FROM changing WHERE k = ?'
    expect((await client.execute(all, [1])).rows).toEqual([{ k: 1, a: 1 }])
    await direct.execute('ALTER TABLE changing ADD b text')
    await direct.execute("UPDATE changing SET b = 'x' WHERE k = 1")
    expect((await client.execute(all, [1])).rows).toEqual([{ k: 1, a: 1, b: 'x' }])
    await direct.execute('DROP TABLE changing')
    await direct.execute('CREATE TABLE changing (k int PRIMARY KEY, a text)')
    const inserted = 'INSERT INTO changing (k, a) VALUES (?, ?)'
    // What the server has forgotten, the library prepares anew and sends again with the bytes that it had.
    await client.execute(inserted, [1, 7]).catch(() => {})
    await client.execute(inserted, [2, 'seven'])
    expect(await client.one(all, [2])).toEqual({ k: 2, a: 'seven' })
  })

  test('a keyspace that is not there is not found, by every kind of call', async () => {
    const client = create({}, { keyspace: 'dualport_nowhere' })
    const missing = { kind: 'not-found', outcome: 'not-applied', retryable: false }
    expect(await failure(client.execute(select, ['a']))).toMatchObject(missing)
    expect(await failure(client.batch([{ cql: insert, parameters: ['a', 1] }]))).toMatchObject(
      missing,
    )
    expect(await failure(client.health())).toMatchObject(missing)
  })

  test('the data centre is learned where it can be, which the log says, and one that is none is refused', async () => {
    const { lines, logger } = collectLines()
    const client = new ScyllaDB(cassandraDriver({ hosts, keyspace }), { logger })
    clients.push(client)
    await client.health()
    expect(lines).toMatchObject([
      {
        level: 'warn',
        message: 'local_data_center_learned',
        record: { component: 'scylladb', localDataCenter: 'datacenter1' },
      },
    ])
    const elsewhere = create({}, { localDataCenter: 'nowhere' })
    const error = await failure(elsewhere.health())
    expect(error).toMatchObject({ kind: 'config', outcome: 'not-applied' })
    expect(error.message).not.toContain('nowhere')
  })

  test('closing with a silent server ends in time, and frees the connection', async () => {
    const client = create({ timeoutMs: 300, drainTimeoutMs: 500 })
    await client.execute(select, ['closing'], { timeoutMs: 10_000 })
    await proxy.setMode('blackhole')
    const pending = failure(client.execute(select, ['closing']), 300)
    const started = performance.now()
    await client.close().catch((error: InfraError) => expect(error.kind).toBe('timeout'))
    expect(performance.now() - started).toBeLessThan(1000 + slackMs)
    expect((await pending).kind).toMatch(/timeout|unavailable/)
    await proxy.setMode('pass')
  })
})

describe('a Cassandra with limits and passwords', {
  ...needs(server),
  timeout: 90_000,
}, async () => {
  if (server.missing !== undefined) {
    test('is understood', () => {})
    return
  }
  const username = 'ann'
  const strict = await startCassandra({
    auth: { username, password: 'right' },
    config: { tombstone_failure_threshold: 20, tombstone_warn_threshold: 10 },
  })
  afterAll(strict.stop)
  const clients: ScyllaDB[] = []
  const create = (options: Partial<CassandraDriverOptions>) => {
    const { hosts, localDataCenter } = strict
    const client = new ScyllaDB(cassandraDriver({ hosts, localDataCenter, ...options }), {
      logger: false,
      timeoutMs: 20_000,
    })
    clients.push(client)
    return client
  }
  afterEach(async () => {
    await Promise.all(clients.splice(0).map((client) => client.close()))
  })

  test('a read of too many tombstones is aborted by the server, and not repeated', async () => {
    const client = create({ username, password: 'right' })
    const replication = "{'class': 'SimpleStrategy', 'replication_factor': 1}"
    await client.execute(`CREATE KEYSPACE own WITH replication = ${replication}`)
    await client.execute('CREATE TABLE own.rows (k int, n int, v text, PRIMARY KEY (k, n))')
    const remove = 'DELETE FROM own.rows WHERE k = ? AND n = ?'
    for (let n = 0; n < 15; n++) await client.execute(remove, [1, n])
    const read = 'SELECT n FROM own.rows WHERE k = ?'
    const warned = await client.execute(read, [1])
    expect([warned.rows, warned.warnings.length]).toEqual([[], 1])
    for (let n = 15; n < 40; n++) await client.execute(remove, [1, n])
    const error = await failure(client.execute(read, [1]))
    expect(error).toMatchObject({ kind: 'internal', outcome: 'not-applied', retryable: false })
    expect(error.message).toContain('tombstones')
    expect((await client.execute(read, [2])).rows).toEqual([])
  })

  test('credentials that are wrong or missing are told from a server that is gone', async () => {
    for (const user of [{}, { username, password: 'wrong' }]) {
      const error = await failure(create(user).health())
      expect(error).toMatchObject({ kind: 'unauthenticated', outcome: 'not-applied' })
      expect(String(error)).not.toMatch(/ann|wrong/)
    }
  })

  test('what the user may not do is forbidden', async () => {
    const ann = create({ username, password: 'right' })
    await ann.execute("CREATE ROLE IF NOT EXISTS bob WITH LOGIN = true AND PASSWORD = 'bob'")
    const bob = create({ username: 'bob', password: 'bob' })
    const error = await failure(bob.execute('SELECT * FROM system_auth.roles'))
    expect(error).toMatchObject({ kind: 'forbidden', outcome: 'not-applied', retryable: false })
  })

  test('a password may be asked for, and is asked for again with each connection', async () => {
    const answers = ['wrong', 'right']
    const client = create({
      username,
      password: async () => {
        const answer = answers.shift()
        if (answer === undefined) throw new Error('a secret of the vault')
        return answer
      },
    })
    expect(await failure(client.health())).toMatchObject({ kind: 'unauthenticated' })
    await client.health()
    const without = create({ username, password: () => Promise.reject(new Error('a secret')) })
    const error = await failure(without.health())
    expect(error).toMatchObject({ kind: 'unavailable', outcome: 'not-applied' })
    expect(String(error)).not.toContain('secret')
  })
})
