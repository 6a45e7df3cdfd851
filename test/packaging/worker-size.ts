import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import type { Project } from './project.ts'

/** A Worker that uses only `Redis` and `rest`. */
export const restWorker = `
  import { Redis } from 'dualport/redis'
  import { rest } from 'dualport/redis/rest'
  export default {
    async fetch(request, env) {
      const redis = new Redis(rest({ url: env.REDIS_URL, token: env.REDIS_TOKEN }))
      return new Response(await redis.get('greeting'))
    },
  }
`

/** Bytes, gzip, of what wrangler would deploy. */
export async function workerSize(project: Project, source: string): Promise<number> {
  await project.write('worker.ts', source)
  await project.run(
    'wrangler',
    [
      ...['deploy', 'worker.ts', '--dry-run', '--minify', '--outdir', 'out'],
      ...['--name', 'size', '--compatibility-date', '2026-07-01'],
    ],
    { WRANGLER_SEND_METRICS: 'false', XDG_CONFIG_HOME: project.directory, CI: 'true' },
  )
  return gzipSync(readFileSync(join(project.directory, 'out/worker.js'))).length
}
