import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { Miniflare } from 'miniflare'
import { afterAll } from 'vitest'

/**
 * Runs a Worker in workerd, bundled as wrangler would, for one test file. `bindings` is its `env`.
 */
export async function startWorker(
  source: URL,
  bindings: Record<string, string>,
): Promise<{ readonly url: URL }> {
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
    compatibilityFlags: ['nodejs_compat'],
    bindings,
  })
  afterAll(() => worker.dispose())
  return { url: await worker.ready }
}
