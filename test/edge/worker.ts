import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { Miniflare } from 'miniflare'
import { afterAll } from 'vitest'

/**
 * Runs a Worker of this folder in workerd, bundled as wrangler would, for one test file. `bindings` is its
 * `env`.
 */
export async function startWorker(
  file: string,
  bindings: Record<string, string>,
): Promise<{ readonly url: URL }> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL(file, import.meta.url))],
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
