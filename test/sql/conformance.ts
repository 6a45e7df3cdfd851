import { afterAll, describe, test } from 'vitest'
import { runSuite, type SqlTarget, sqlSuite } from '../../src/testing/index.ts'
import { needs, skipped } from '../engines/index.ts'

/** What MariaDB does otherwise than MySQL. Where MYSQL_URL names a MySQL, these run as well. */
const notOnMariadb: Readonly<Record<string, string>> = {}

/** What the TDS server of the tests cannot do. Where SQLSERVER_URL names a SQL Server, these run as well. */
const notOnTdsServer: Readonly<Record<string, string>> = {}

interface Engine {
  readonly missing?: string | undefined
  readonly isMariadb?: boolean
  readonly isTdsServer?: boolean
}

/**
 * Every case of the suite as a test of its own. `elsewhere` runs the case of that name in another runtime,
 * against the same adapter.
 */
export function conformance(
  over: string,
  engine: Engine,
  target: () => SqlTarget,
  elsewhere?: (name: string) => Promise<void>,
): void {
  describe(`SQL over ${over}`, needs(engine), () => {
    if (engine.missing !== undefined) return void test('the suite', () => {})
    const made = target()
    afterAll(() => made.sql.close())
    runSuite(sqlSuite, {
      target: made,
      test(name, run) {
        const reason = reasonAgainst(engine, name)
        if (reason !== undefined) test(name, skipped(reason), () => {})
        else test(name, elsewhere === undefined ? run : () => elsewhere(name))
      },
      skip: (name, reason) => test(name, skipped(reason), () => {}),
    })
  })
}

function reasonAgainst({ isMariadb, isTdsServer }: Engine, name: string): string | undefined {
  if (isMariadb && notOnMariadb[name] !== undefined) return `MariaDB ${notOnMariadb[name]}`
  if (isTdsServer && notOnTdsServer[name] !== undefined) {
    return `the TDS server of the tests ${notOnTdsServer[name]}`
  }
  return undefined
}
