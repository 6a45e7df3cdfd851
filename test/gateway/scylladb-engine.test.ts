import { describe, expect, onTestFinished, test } from 'vitest'
import type { CqlReply, ScyllaDB } from '../../src/scylladb/index.ts'
import { failure } from '../chaos/failure.ts'
import { startProxy } from '../chaos/proxy.ts'
import { engine, needs } from '../engines/index.ts'
import { ownKeyspace } from '../engines/own.ts'
import { startScylladbGateway } from './scylladb-gateway.ts'
import { readOnlyToken, token } from './scylladb-scripted.ts'

const server = await engine('cassandra')
const keyspace = await ownKeyspace(server)

describe('the gateway over a real engine', needs(server), async () => {
  if (server.missing !== undefined) {
    test('serves it', () => {})
    return
  }
  const served = await startScylladbGateway(server, keyspace)
  const { direct } = served
  const http = served.open()
  await direct.execute('CREATE TABLE numbers (p int, n int, text text, PRIMARY KEY (p, n))')
  await direct.execute('CREATE TABLE counters (p int PRIMARY KEY, n counter)')
  const inserts = (p: number) =>
    Array.from({ length: 25 }, (_, n) => ({
      cql: 'INSERT INTO numbers (p, n, text) VALUES (?, ?, ?)',
      parameters: [p, n, `text ${n}`],
    }))
  for (const p of [1, 2]) await http.batch(inserts(p))

  describe('pages', () => {
    const cql = 'SELECT n FROM numbers WHERE p = ?'
    const page = (client: ScyllaDB, p: number, pagingState?: Uint8Array): Promise<CqlReply> =>
      client.reply(cql, [p], { pageSize: 10 }, pagingState)

    test('hold each row once, whatever is between them', async () => {
      const read: unknown[] = []
      let state: Uint8Array | undefined
      do {
        // Another gateway, as after a restart.
        const { open } = await startScylladbGateway(server, keyspace)
        const reply = await page(open(), 1, state)
        read.push(...reply.rows.map(([n]) => n))
        state = reply.pagingState
      } while (state !== undefined)
      expect(read).toEqual(Array.from({ length: 25 }, (_, n) => n))
    })

    test('with a foreign state the server would skip rows; the gateway does not ask it', async () => {
      const skipped = await page(direct, 2, (await page(direct, 1)).pagingState)
      expect(skipped.rows[0]).not.toEqual([0])
      const { pagingState } = await page(http, 1)
      const asked = served.attempts.length
      const reader = served.open({ token: readOnlyToken })
      const tampered = new Uint8Array(pagingState!)
      tampered[tampered.length - 1]! ^= 1
      for (const foreign of [
        page(http, 2, pagingState),
        page(reader, 1, pagingState),
        page(http, 1, tampered),
        http.reply('SELECT text FROM numbers WHERE p = ?', [1], { pageSize: 10 }, pagingState),
      ]) {
        expect(await failure(foreign)).toMatchObject({ kind: 'invalid', outcome: 'not-applied' })
      }
      expect(served.attempts).toHaveLength(asked)
    })

    test('are as large as the gateway lets them be', async () => {
      const { open } = await startScylladbGateway(server, keyspace, { limits: { rows: 7 } })
      const client = open()
      const reply = await client.reply(cql, [1], { pageSize: 20 }, undefined)
      expect(reply.rows).toHaveLength(7)
      expect((await client.execute(cql, [1])).rows).toHaveLength(25)
    })
  })

  test('a statement is prepared once, and bound at the server', async () => {
    const cql = 'SELECT n FROM numbers WHERE p = ? AND n = ?'
    const proxy = await startProxy(Number(server.hosts[0]!.split(':')[1]))
    onTestFinished(() => proxy.close())
    const hosts = [`127.0.0.1:${proxy.port}`]
    const { open } = await startScylladbGateway({ ...server, hosts }, keyspace)
    const client = open()
    await Promise.all(Array.from({ length: 50 }, (_, n) => client.execute(cql, [1, n])))
    // The text is in requests to prepare it, and in no others.
    const sent = Buffer.concat(proxy.received).toString('latin1')
    expect(sent.split(cql)).toHaveLength(2)
    const hostile = '1; DROP TABLE numbers'
    expect(await failure(client.execute(cql, [hostile, 1]))).toMatchObject({ kind: 'invalid' })
  })

  test('what a token that only reads may ask changes nothing', async () => {
    const reader = served.open({ token: readOnlyToken })
    expect((await reader.execute('SELECT n FROM numbers WHERE p = ?', [1])).rows).toHaveLength(25)
    expect(await reader.hosts()).toEqual(await direct.hosts())
    await reader.health()
    const asked = served.attempts.length
    for (const cql of [
      'DELETE FROM numbers WHERE p = 1',
      'UPDATE counters SET n = n + 1 WHERE p = 1',
      'TRUNCATE numbers',
      'DROP TABLE numbers',
      `CREATE ROLE r`,
      '/* SELECT */ TRUNCATE numbers',
    ]) {
      expect(await failure(reader.execute(cql))).toMatchObject({
        kind: 'forbidden',
        outcome: 'not-applied',
        detail: 'this token only reads',
      })
    }
    expect(await failure(reader.batch(inserts(3)))).toMatchObject({ kind: 'forbidden' })
    expect(served.attempts).toHaveLength(asked)
    const { rows } = await direct.execute('SELECT n FROM numbers WHERE p = 1')
    expect(rows).toHaveLength(25)
  })

  test('errors are those of the adapter over TCP', async () => {
    const two = { consistency: 'TWO' } as const
    const big = 'x'.repeat(100_000)
    const failing: ((client: ScyllaDB) => Promise<unknown>)[] = [
      (client) => client.execute('SELECT n FROM numbers WHERE p = 1', [], two),
      (client) => client.execute('INSERT INTO numbers (p, n) VALUES (1, 1)', [], two),
      (client) => client.execute('INSERT INTO numbers (p, n) VALUES (9, 1) IF NOT EXISTS', [], two),
      (client) => client.execute('UPDATE counters SET n = n + 1 WHERE p = 1', [], two),
      (client) => client.batch(inserts(1), { ...two }),
      (client) => client.batch([...inserts(1)], { ...two, type: 'unlogged' }),
      (client) =>
        client.batch([{ cql: 'UPDATE counters SET n = n + 1 WHERE p = 1' }], {
          ...two,
          type: 'counter',
        }),
      (client) => client.execute('SELEC n'),
      (client) => client.execute('SELECT n FROM nothing'),
      (client) => client.execute('SELECT n FROM nowhere.numbers'),
      (client) => client.execute('SELECT nothing FROM numbers'),
      (client) => client.execute('SELECT n FROM numbers WHERE text = ?', ['a']),
      (client) => client.execute('SELECT n FROM numbers WHERE p = ?', ['1']),
      (client) => client.execute('SELECT n FROM numbers WHERE p = ?', [2n ** 40n]),
      (client) => client.execute('SELECT n FROM numbers WHERE p = ?', [undefined]),
      (client) => client.execute('SELECT n FROM numbers WHERE p = ?', [null]),
      (client) => client.execute('SELECT n FROM numbers WHERE p = ?', []),
      (client) => client.execute('CREATE TABLE numbers (a int PRIMARY KEY)'),
      (client) => client.execute('DROP TABLE nothing'),
      (client) => client.batch([{ cql: 'INSERT INTO counters (p, n) VALUES (1, 1)' }]),
      (client) => client.batch([{ cql: 'UPDATE counters SET n = n + 1 WHERE p = 1' }]),
      (client) =>
        client.batch([1, 2].map((p) => ({ cql: inserts(p)[0]!.cql, parameters: [p, 1, big] }))),
      (client) => client.one('SELECT n FROM numbers WHERE p = 77'),
      (client) => client.one('SELECT n FROM numbers WHERE p = 1'),
    ]
    const seen = new Set<string>()
    for (const run of failing) {
      const expected = await failure(run(direct))
      const { code, kind, operation, outcome, retryable, detail, message } = await failure(
        run(http),
      )
      expect({ code, kind, operation, outcome, retryable, detail, message }).toEqual({
        code: expected.code,
        kind: expected.kind,
        operation: expected.operation,
        outcome: expected.outcome,
        retryable: expected.retryable,
        detail: expected.detail,
        message: expected.message,
      })
      seen.add(`${kind} ${outcome}`)
    }
    expect([...seen].sort()).toEqual([
      'conflict not-applied',
      'invalid not-applied',
      'not-found not-applied',
      'unavailable not-applied',
      'unavailable unknown',
    ])
  })

  test('neither what is logged nor what is answered holds a value, a text of CQL or a token', async () => {
    const secret = 'a-secret-value'
    const errors = [
      await failure(
        http.execute('INSERT INTO numbers (p, n, text) VALUES (?, ?, ?)', [secret, 1, secret]),
      ),
      await failure(
        http.execute(`SELECT n FROM numbers WHERE text = '${secret}' AND n = '${secret}'`),
      ),
      await failure(http.execute(`SELECT ${secret} FROM numbers`)),
      await failure(http.execute(`INSERT INTO numbers (p, n) VALUES ('${secret}', 1)`)),
      await failure(served.open({ token: secret }).execute('SELECT n FROM numbers')),
    ]
    const said = JSON.stringify([served.log, errors, errors.map(({ message }) => message)])
    expect(served.log.length).toBeGreaterThanOrEqual(errors.length)
    for (const each of [secret, 'VALUES', 'FROM numbers', token, readOnlyToken]) {
      expect(said).not.toContain(each)
    }
  })

  test('levels and keyspaces that are not served', async () => {
    const { open, attempts } = await startScylladbGateway(server, undefined, {
      scylladbKeyspaces: [keyspace],
      scylladbConsistencies: ['LOCAL_ONE'],
    })
    const client = open({}, { consistency: 'LOCAL_ONE' })
    const cql = `SELECT n FROM ${keyspace}.numbers WHERE p = 1`
    expect((await client.execute(cql)).rows).toHaveLength(25)
    const asked = attempts.length
    for (const refused of [
      client.execute(cql, [], { consistency: 'ALL' }),
      client.execute('SELECT key FROM system.local'),
      client.execute(`DROP TABLE ${keyspace}.numbers`),
    ]) {
      expect(await failure(refused)).toMatchObject({ kind: 'forbidden', outcome: 'not-applied' })
    }
    expect(attempts).toHaveLength(asked)
    const elsewhere = open({ keyspace: 'elsewhere' })
    expect(await failure(elsewhere.health())).toMatchObject({ kind: 'not-found' })
  })
})
