import { fileURLToPath } from 'node:url'
import type { Plugin } from 'esbuild'
import { defineConfig } from 'tsup'
import manifest from './package.json' with { type: 'json' }

const outputs = [...Object.values(manifest.exports), ...Object.values(manifest.bin)]
  .flatMap((entry) => (typeof entry === 'string' ? entry : Object.values(entry)))
  .filter((file) => file.endsWith('.js'))

/** The health router is mounted into an application of Hono: a second copy would double its size in a Worker. */
const honoOfTheApplication: Plugin = {
  name: 'hono-of-the-application',
  setup(build) {
    build.onResolve({ filter: /^hono$/ }, ({ importer }) =>
      importer === fileURLToPath(new URL('src/health/router.ts', import.meta.url))
        ? { external: true }
        : undefined,
    )
  },
}

/**
 * The JavaScript; `tsc` writes the declarations beside it. What package.json names is what is built:
 * `./dist/src/redis/index.js` comes from `src/redis/index.ts`. Development dependencies are bundled
 * (they are small, and cost several times as much to import on their own), peer dependencies are not.
 */
export default defineConfig({
  entry: Array.from(new Set(outputs), (file) => file.replace('./dist/', '').replace(/js$/, 'ts')),
  format: 'esm',
  platform: 'neutral',
  // `node:sqlite` has no other name.
  removeNodeProtocol: false,
  target: 'es2023',
  external: [/^node:/],
  noExternal: ['hono'],
  esbuildPlugins: [honoOfTheApplication],
  splitting: true,
  clean: true,
})
