import { builtinModules } from 'node:module'
import { fileURLToPath } from 'node:url'
import { build, type Plugin } from 'esbuild'
import { Miniflare } from 'miniflare'
import { afterAll } from 'vitest'

interface WorkerOptions {
  /** Default `nodejs_compat`. */
  readonly flags?: string[]
  /** Takes what the Worker logs. Default: it is printed. */
  readonly log?: string[]
  /** Hyperdrive bindings: connection strings, each with a password. */
  readonly hyperdrives?: Record<string, string>
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
  { flags = ['nodejs_compat'], log, hyperdrives }: WorkerOptions = {},
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
    plugins: [builtins],
  })
  const worker = new Miniflare({
    modules: true,
    script: outputFiles[0]!.text,
    compatibilityDate: '2026-07-30',
    compatibilityFlags: flags,
    bindings,
    ...(hyperdrives && { hyperdrives }),
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

/** For libraries that say `require('net')`: as `import` from `node:net`, which workerd has. */
const builtins: Plugin = {
  name: 'builtins',
  setup({ onLoad, onResolve }) {
    onResolve({ filter: new RegExp(`^(${builtinModules.join('|')})$`) }, ({ path, kind }) =>
      kind === 'require-call'
        ? { path, namespace: 'builtin' }
        : { path: `node:${path}`, external: true },
    )
    onLoad({ filter: /.*/, namespace: 'builtin' }, ({ path }) => ({
      contents: `import builtin from 'node:${path}'; module.exports = builtin`,
    }))
  },
}
