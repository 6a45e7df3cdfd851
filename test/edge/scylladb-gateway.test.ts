import { expect, test } from 'vitest'
import { gateway } from '../../adapters/scylladb/gateway.ts'
import { ScyllaDB } from '../../src/scylladb/index.ts'
import { scyllaSuite } from '../../src/testing/scylladb.ts'
import { needs } from '../engines/index.ts'
import { conformance } from '../scylladb/conformance.ts'
import { gatewayOverScylladb } from '../scylladb/gateway.ts'
import { startWorker } from './worker.ts'

const { url, token, keyspace, ...engine } = await gatewayOverScylladb()
const bindings = { SCYLLADB_URL: url, SCYLLADB_TOKEN: token, SCYLLADB_KEYSPACE: keyspace }
const source = new URL('./scylladb-suite.worker.ts', import.meta.url)
const start = async (flags?: string[]) =>
  engine.missing === undefined
    ? await startWorker(source, bindings, flags && { flags })
    : undefined!
const worker = await start()
const bare = await start([])
const driver = () => gateway({ url, token, keyspace })

async function runIn({ url }: typeof worker, name: string): Promise<void> {
  const response = await fetch(new URL(`/?case=${encodeURIComponent(name)}`, url))
  const result = (await response.json()) as { passed: boolean; error?: string }
  if (!result.passed) throw new Error(`in workerd: ${result.error}`)
}

conformance(
  'gateway inside workerd',
  engine,
  () => ({ scylladb: new ScyllaDB(driver(), { logger: false }), driver }),
  (name) => runIn(worker, name),
)

test('it needs nothing of Node', { ...needs(engine), timeout: 60_000 }, async () => {
  const names = scyllaSuite.cases
    .map(({ name }) => name)
    .filter((name) => /^(values|execute|batch|page|stream|errors):/.test(name))
  expect(names.length).toBeGreaterThan(30)
  for (const name of names) await runIn(bare, name)
})
