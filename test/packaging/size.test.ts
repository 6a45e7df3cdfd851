import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, expect, test } from 'vitest'
import { installPackage } from './project.ts'

/** Bytes, gzip. */
const limit = 12 * 1024

const project = await installPackage()
afterAll(() => project.remove())

test('a Worker that uses only Redis and rest stays small', async ({ task }) => {
  await project.write(
    'worker.ts',
    `import { Redis } from 'dualport/redis'
     import { rest } from 'dualport/redis/rest'
     export default {
       async fetch(request, env) {
         const redis = new Redis(rest({ url: env.REDIS_URL, token: env.REDIS_TOKEN }))
         return new Response(await redis.get('greeting'))
       },
     }`,
  )
  await project.run(
    'wrangler',
    [
      ...['deploy', 'worker.ts', '--dry-run', '--minify', '--outdir', 'out'],
      ...['--name', 'size', '--compatibility-date', '2026-07-01'],
    ],
    { WRANGLER_SEND_METRICS: 'false', XDG_CONFIG_HOME: project.directory, CI: 'true' },
  )
  const bytes = gzipSync(readFileSync(join(project.directory, 'out/worker.js'))).length
  task.meta.report = `Worker with Redis and rest: ${(bytes / 1024).toFixed(2)} KB gzip, of ${limit / 1024}`
  expect(bytes).toBeLessThanOrEqual(limit)
})
