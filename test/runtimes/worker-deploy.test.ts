import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import { afterAll, expect, test } from 'vitest'

/**
 * Bytes, gzip, not minified. It carries every backend's HTTP adapter, bson with MongoDB's, PlanetScale's client with
 * MySQL's, and embedded ones. Raise it knowingly: SQL and CQL are 28 KB of it.
 */
const limit = 132 * 1024

const scratch = await mkdtemp(join(tmpdir(), 'dualport-'))
afterAll(() => rm(scratch, { recursive: true }))

test('wrangler deploys the Worker as it is', async ({ task }) => {
  const out = join(scratch, 'out')
  const { stdout } = await promisify(execFile)(
    'wrangler',
    ['deploy', '--dry-run', '--outdir', out],
    {
      env: { ...process.env, WRANGLER_SEND_METRICS: 'false', XDG_CONFIG_HOME: scratch, CI: 'true' },
    },
  )
  expect(stdout).toContain('--dry-run: exiting now')
  expect(stdout).not.toMatch(/warning/i)
  const bytes = gzipSync(readFileSync(join(out, 'worker.js'))).length
  task.meta.report = `The Worker of wrangler.toml: ${(bytes / 1024).toFixed(2)} KB gzip (limit ${limit / 1024})`
  expect(bytes).toBeLessThanOrEqual(limit)
})
