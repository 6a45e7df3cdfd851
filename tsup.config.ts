import { defineConfig } from 'tsup'
import manifest from './package.json' with { type: 'json' }

const entries = Object.values(manifest.exports).filter((entry) => typeof entry === 'object')

/**
 * The JavaScript; `tsc` writes the declarations beside it. What package.json exports is what is built:
 * `./dist/src/redis/index.js` comes from `src/redis/index.ts`. Development dependencies are bundled
 * (they are small, and cost several times as much to import on their own), peer dependencies are not.
 */
export default defineConfig({
  entry: entries.map((entry) => entry.default.replace('./dist/', '').replace(/js$/, 'ts')),
  format: 'esm',
  platform: 'neutral',
  target: 'es2023',
  external: [/^node:/],
  splitting: true,
  clean: true,
})
