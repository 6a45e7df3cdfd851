import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { Miniflare } from 'miniflare'
import { afterAll } from 'vitest'

interface WorkerOptions {
  /** Default `nodejs_compat`. */
  readonly flags?: string[]
  /** Takes what the Worker logs. Default: it is printed. */
  readonly log?: string[]
}

interface Scheduled {
  scheduled(): Promise<{ readonly outcome: string }>
}

/**
 * Runs a Worker in workerd, bundled as wrangler would, for one test file. `bindings` is its `env`.
 */
export async function startWorker(
  source: URL,
  bindings: Record<string, string>,
  { flags = ['nodejs_compat'], log }: WorkerOptions = {},
): Promise<{
  readonly url: URL
  /** What a Cron Trigger does. Gives `ok` or `exception`. */
  readonly scheduled: () => Promise<string>
}> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(source)],
    bundle: true,
    write: false,
    format: 'esm',
    target: 'es2023',
    conditions: ['workerd', 'worker', 'browser'],
    external: ['node:*', 'cloudflare:*'],
  })
  const worker = new Miniflare({
    modules: true,
    script: outputFiles[0]!.text,
    compatibilityDate: '2026-07-30',
    compatibilityFlags: flags,
    bindings,
    ...(log && {
      handleStructuredLogs: ({ message }: { message: string }) => {
        log.push(message)
      },
    }),
  })
  afterAll(() => worker.dispose())
  return {
    url: await worker.ready,
    async scheduled() {
      const fetcher: unknown = await worker.getWorker()
      return (await (fetcher as Scheduled).scheduled()).outcome
    },
  }
}
