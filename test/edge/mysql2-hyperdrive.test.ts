import { createConnection } from 'mysql2/promise'
import { describe, expect, test } from 'vitest'
import { mysql2 } from '../../adapters/sql/mysql2.ts'
import { Sql } from '../../src/sql/index.ts'
import { needs } from '../engines/index.ts'
import { conformance } from '../sql/conformance.ts'
import { mysqlDatabase } from '../sql/mysql.ts'
import { startWorker } from './worker.ts'

const { url, procedures, ...engine } = await mysqlDatabase()
const worker =
  engine.missing === undefined
    ? await startWorker(
        new URL('./mysql2-suite.worker.ts', import.meta.url),
        { SQL_PROCEDURES: JSON.stringify(await procedures()) },
        { hyperdrives: { HYPERDRIVE: await withPassword(url) } },
      )
    : undefined!
const driver = () => mysql2({ url })

conformance(
  'mysql2 inside workerd, through Hyperdrive',
  engine,
  () => ({ sql: new Sql(driver(), { logger: false }), driver, procedures }),
  async (name) => {
    const response = await fetch(new URL(`/?case=${encodeURIComponent(name)}`, worker.url))
    const result = (await response.json()) as { passed: boolean; error?: string }
    if (!result.passed) throw new Error(`in workerd: ${result.error}`)
  },
)

describe('mysql2 inside workerd', needs(engine), () => {
  test('without a Hyperdrive binding it is refused', async () => {
    const response = await fetch(new URL('/without', worker.url))
    expect(await response.text()).toMatch(/^SQL_CONFIG: .*Hyperdrive/)
  })
})

/** Miniflare takes none without. */
async function withPassword(url: string): Promise<string> {
  const connection = await createConnection(url)
  const name = new URL(url).pathname.slice(1)
  // 32 characters at most.
  const user = name.slice(0, 32)
  try {
    await connection.query(`create user ${user} identified by 'secret-1'`)
    await connection.query(`grant all on *.* to ${user}`)
  } finally {
    await connection.end()
  }
  const given = new URL(url)
  given.username = user
  given.password = 'secret-1'
  return given.href
}
