import { Client, type ClientOptions, errors, types } from 'cassandra-driver'
import { expect, onTestFinished, test, vi } from 'vitest'
import { cassandraServer, startCassandra } from './cassandra.ts'
import { engine, needs } from './index.ts'
import { ownKeyspace } from './own.ts'

const cassandra = await engine('cassandra-process')
const shared = await engine('cassandra')
const keyspace = await ownKeyspace(cassandra)
/** Starting one takes 5 s, on a busy machine more. */
const slow = { ...needs(cassandra), timeout: 120_000 }

test('a Cassandra keeps what is inserted, vectors and user-defined types', slow, async () => {
  const client = connect()
  await client.execute('CREATE TYPE place (city text, level int)')
  await client.execute(
    'CREATE TABLE things (id int PRIMARY KEY, at frozen<place>, near vector<float, 3>)',
  )
  await client.execute('INSERT INTO things JSON \'{ "id": 1, "at": { "level": 3 } }\'')
  await client.execute('UPDATE things SET near = [1, 2, 3] WHERE id = 1')
  const row = (await client.execute('SELECT * FROM things')).first()
  expect(row.at).toMatchObject({ level: 3 })
  expect([...row.near]).toEqual([1, 2, 3])
})

test('a paused Cassandra answers once it is resumed', needs(cassandra), async () => {
  const client = connect()
  await client.connect()
  cassandra.pause()
  const answered = client.execute('SELECT key FROM system.local')
  cassandra.resume()
  expect((await answered).rows).toEqual([{ key: 'local' }])
})

test('a killed Cassandra is gone, and starts again where it was with its data', slow, async () => {
  const { pid, ended } = cassandra
  await connect().execute('CREATE TABLE kept (name text PRIMARY KEY)')
  await connect().execute("INSERT INTO kept (name) VALUES ('before')")
  cassandra.pause()
  await cassandra.kill()
  expect(ended.aborted).toBe(true)
  expect(() => process.kill(pid, 0)).toThrow('ESRCH')
  expect(await failureOf(connect())).toMatchObject({ code: 'ECONNREFUSED' })

  await cassandra.start()
  expect(cassandra.pid).not.toBe(pid)
  expect(cassandra.ended.aborted).toBe(false)
  const { rows } = await connect().execute('SELECT name FROM kept')
  expect(rows).toEqual([{ name: 'before' }])
})

test('a Cassandra may have a smaller limit, and want a password', slow, async () => {
  const credentials = { username: 'ann', password: "p@ss 'word'" }
  const secured = await startCassandra({
    auth: credentials,
    config: { tombstone_failure_threshold: 2 },
  })
  onTestFinished(secured.stop)
  const contactPoints = [...secured.hosts]

  const ann = connect({ contactPoints, credentials })
  await ann.execute(
    "CREATE KEYSPACE own WITH replication = { 'class': 'SimpleStrategy', 'replication_factor': 1 }",
  )
  await ann.execute('CREATE TABLE own.rows (a int, b int, PRIMARY KEY (a, b))')
  for (const b of [1, 2, 3]) await ann.execute(`DELETE FROM own.rows WHERE a = 1 AND b = ${b}`)
  const { readFailure } = types.responseErrorCodes
  const read = ann.execute('SELECT * FROM own.rows WHERE a = 1')
  await expect(read).rejects.toMatchObject({ code: readFailure })

  await ann.execute("CREATE ROLE bob WITH LOGIN = true AND PASSWORD = 'bob'")
  const bob = connect({ contactPoints, credentials: { username: 'bob', password: 'bob' } })
  await expect(bob.execute('SELECT * FROM own.rows')).rejects.toThrow('no SELECT permission')
  for (const wrong of [undefined, { ...credentials, password: 'guess' }]) {
    const error = await failureOf(connect({ contactPoints, ...(wrong && { credentials: wrong }) }))
    expect(error).toBeInstanceOf(errors.AuthenticationError)
  }
})

test('the cluster that SCYLLADB_HOSTS names is used, and left running', slow, async () => {
  vi.stubEnv('SCYLLADB_HOSTS', cassandra.hosts.join())
  onTestFinished(() => void vi.unstubAllEnvs())
  const given = await cassandraServer()
  expect(given).toMatchObject({ hosts: cassandra.hosts, localDataCenter: 'datacenter1' })
  await given.stop()
  await connect().connect()
})

test('whoever asks for any Cassandra gets the same one', needs(shared), async () => {
  const again = await engine('cassandra')
  expect(again.hosts).toEqual(shared.hosts)
  expect(again.hosts).not.toEqual(cassandra.hosts)
})

/** Why the first host refuses the client. */
async function failureOf(client: Client): Promise<unknown> {
  const error = await client.connect().catch((error) => error)
  return Object.values(error.innerErrors)[0]
}

function connect(
  options: ClientOptions = { contactPoints: [...cassandra.hosts], keyspace },
): Client {
  const client = new Client({ localDataCenter: cassandra.localDataCenter, ...options })
  onTestFinished(() => client.shutdown())
  return client
}
