import { createConnection } from 'mysql2/promise'
import { describe, expect, onTestFinished, test } from 'vitest'
import { planetscale } from '../../adapters/sql/planetscale.ts'
import { Sql } from '../../src/sql/index.ts'
import { engine, needs } from '../engines/index.ts'
import { ownDatabase } from '../engines/own.ts'
import { startMysqlGateway, token } from './mysql-gateway.ts'

const mysql = await engine('mysql-process')
const own = await ownDatabase(mysql)

describe('a MySQL whose settings would read a text in another way', needs(mysql), async () => {
  if (mysql.missing !== undefined) return
  const root = await createConnection(mysql.url)
  await root.query(
    "set global sql_mode = 'NO_BACKSLASH_ESCAPES,ANSI_QUOTES', global time_zone = '+05:00', global character_set_server = gbk, global collation_server = gbk_chinese_ci",
  )
  await root.end()
  const gateway = await startMysqlGateway(own.url)
  const hostile = [
    '\\',
    "\\'",
    "\\' or 1=1 -- ",
    "' or 1=1 -- ",
    '\\\\',
    '\\"',
    '\u7e9b\\',
    "\u00bf'",
    '"',
  ]

  test("PlanetScale's own client is safe at the gateway", async () => {
    const [[modes]] = (await gateway.direct.query('select @@sql_mode')) as unknown as [string[][]]
    expect(modes?.[0]).toContain('NO_BACKSLASH_ESCAPES')
    for (const value of hostile) {
      const { rows } = await gateway.sdk().execute('select ? as value, "text" as text', [value])
      expect(rows).toEqual([{ value, text: 'text' }])
    }
    const { rows } = await gateway
      .sdk()
      .execute("select cast('2026-11-28 12:00:00' as datetime) as a, from_unixtime(0) as b")
    expect(rows).toEqual([{ a: '2026-11-28 12:00:00', b: '1970-01-01 00:00:00' }])
  })

  test('so is the adapter, which has asked', async () => {
    const sql = new Sql(planetscale({ url: gateway.url, username: 'app', password: token }), {
      logger: false,
    })
    onTestFinished(() => sql.close())
    for (const value of hostile) expect(await sql.one`select ${value} as value`).toEqual({ value })
    const instant = new Date('2026-11-28T12:00:00.250Z')
    await sql.execute`create table moments (at timestamp(3))`
    await sql.execute`insert into moments values (${instant})`
    expect(await sql.one`select at from moments`).toEqual({ at: instant })
  })
})
