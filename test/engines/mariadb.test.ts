import { type Connection, type ConnectionOptions, createConnection } from 'mysql2/promise'
import { expect, onTestFinished, test, vi } from 'vitest'
import { engine, needs } from './index.ts'
import { mysqlServer } from './mariadb.ts'
import { ownDatabase } from './own.ts'

const mysql = await engine('mysql-process')
const shared = await engine('mysql')
const own = await ownDatabase(mysql)

test('a MariaDB keeps what is inserted, and says what it is', needs(mysql), async () => {
  const { host, port, user, password } = mysql
  const connection = await connect({ host, port, user, password, database: own.name })
  await connection.query('CREATE TABLE things (name TEXT)')
  await connection.query("INSERT INTO things VALUES ('🍋')")
  expect(await all(own.url, 'things')).toEqual([{ name: '🍋' }])
  expect(mysql.isMariadb).toBe(true)
})

test('a paused MariaDB answers once it is resumed', needs(mysql), async () => {
  const connection = await connect(own.url)
  mysql.pause()
  const answered = connection.query('SELECT 1 AS one')
  mysql.resume()
  expect((await answered)[0]).toEqual([{ one: 1 }])
})

test(
  'a killed MariaDB is gone, and starts again where it was with its data',
  needs(mysql),
  async () => {
    const { pid, ended } = mysql
    const { url } = own
    const connection = await connect(url)
    await connection.query('CREATE TABLE kept (name TEXT)')
    await connection.query("INSERT INTO kept VALUES ('before')")
    mysql.pause()
    await mysql.kill()
    expect(ended.aborted).toBe(true)
    expect(() => process.kill(pid, 0)).toThrow('ESRCH')
    await expect(createConnection(url)).rejects.toThrow('ECONNREFUSED')

    await mysql.start()
    expect(mysql.pid).not.toBe(pid)
    expect(mysql.ended.aborted).toBe(false)
    expect(await all(url, 'kept')).toEqual([{ name: 'before' }])
  },
)

test('the MySQL that MYSQL_URL names is used, and left running', needs(mysql), async () => {
  vi.stubEnv('MYSQL_URL', own.url)
  onTestFinished(() => void vi.unstubAllEnvs())
  const given = await mysqlServer()
  const { url, host, port, user, password } = mysql
  expect(given).toMatchObject({ url, host, port, user, password, isMariadb: true })
  await given.stop()
  await connect(url)
})

test('whoever asks for any MySQL gets the same one', needs(shared), async () => {
  const again = await engine('mysql')
  expect(again.url).toBe(shared.url)
  expect(again.url).not.toBe(mysql.url)
})

async function all(url: string, table: string): Promise<unknown> {
  const [rows] = await (await connect(url)).query(`SELECT * FROM ${table}`)
  return rows
}

async function connect(to: string | ConnectionOptions): Promise<Connection> {
  const options = typeof to === 'string' ? { uri: to } : to
  const connection = await createConnection(options)
  // One that the server's end cut says so by an event as well.
  connection.on('error', () => {})
  onTestFinished(() => connection.destroy())
  return connection
}
