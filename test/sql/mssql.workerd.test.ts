import { build } from 'esbuild'
import { Miniflare } from 'miniflare'
import { afterAll, expect, test } from 'vitest'

const { outputFiles } = await build({
  stdin: {
    contents: `
      import { mssql } from '../../adapters/sql/mssql.ts'
      export default {
        async fetch() {
          try {
            mssql({ url: 'mssql://me:S3cret@localhost/app' })
            return new Response('it was made')
          } catch ({ code, kind, message }) {
            return Response.json({ code, kind, message })
          }
        },
      }`,
    resolveDir: import.meta.dirname,
  },
  bundle: true,
  write: false,
  format: 'esm',
  target: 'es2023',
  conditions: ['workerd', 'worker', 'browser'],
  external: ['node:*', 'tedious', 'tedious/*', 'mssql'],
})
const worker = new Miniflare({
  modules: [{ type: 'ESModule', path: 'worker.js', contents: outputFiles[0]!.text }],
  compatibilityDate: '2026-07-30',
  compatibilityFlags: ['nodejs_compat'],
})
afterAll(() => worker.dispose())

test('in workerd it is refused when it is made, with the reason', async () => {
  const reply = await worker.dispatchFetch('http://worker/')
  expect(await reply.json()).toEqual({
    code: 'SQL_UNSUPPORTED',
    kind: 'unsupported',
    message:
      'sql configure: in workerd its connections would not be encrypted: use the gateway adapter',
  })
})
