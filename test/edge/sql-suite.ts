import type { Procedures } from '../../src/testing/index.ts'
import { startWorker } from './worker.ts'

/** What runs a case of the suite within workerd. */
export async function startSqlSuite(
  adapter: 'planetscale' | 'gateway',
  url: string,
  token: string,
  procedures: () => Promise<Procedures>,
): Promise<(name: string) => Promise<void>> {
  const worker = await startWorker(new URL('./sql-suite.worker.ts', import.meta.url), {
    SQL_ADAPTER: adapter,
    SQL_URL: url,
    SQL_TOKEN: token,
    SQL_PROCEDURES: JSON.stringify(await procedures()),
  })
  return async (name) => {
    const response = await fetch(new URL(`/?case=${encodeURIComponent(name)}`, worker.url))
    const result = (await response.json()) as { passed: boolean; error?: string }
    if (!result.passed) throw new Error(`in workerd: ${result.error}`)
  }
}
