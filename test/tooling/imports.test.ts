import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, expect, test } from 'vitest'

const tree = mkdtempSync(join(tmpdir(), 'dualport-'))
copyFileSync('biome.json', join(tree, 'biome.json'))
copyFileSync('.gitignore', join(tree, '.gitignore'))
afterAll(() => rmSync(tree, { recursive: true }))

function lint(file: string, imported: string): string {
  const path = join(tree, file)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, `import '${imported}'\n`)
  const { stdout, stderr } = spawnSync('biome', ['lint', '--colors=off', file], {
    cwd: tree,
    encoding: 'utf8',
  })
  return stdout + stderr
}

test.each([
  ['src/core/a.ts', '../redis/index.ts'],
  ['src/redis/a.ts', '../../adapters/redis/rest.ts'],
  ['src/redis/a.ts', '../kafka/index.ts'],
  ['src/redis/a.ts', '../health/index.ts'],
  ['src/metrics/a.ts', '../redis/index.ts'],
  ['adapters/redis/a.ts', './rest.ts'],
  ['adapters/redis/a.ts', '../kafka/rest.ts'],
  ['adapters/redis/a.ts', '../../src/gateway/index.ts'],
  ['adapters/redis/a/part.ts', '../rest.ts'],
  ['src/health/a.ts', '../config/index.ts'],
  ['src/testing/redis/a.ts', '../../../adapters/redis/rest.ts'],
  ['src/gateway/a.ts', '../runtimes/serve.ts'],
])('%s may not import %s', (file, imported) => {
  expect(lint(file, imported)).toContain('noRestrictedImports')
})

test.each([
  ['src/core/a.ts', './errors.ts'],
  ['src/redis/a.ts', '../core/index.ts'],
  ['adapters/redis/a.ts', '../../src/redis/index.ts'],
  ['adapters/redis/a.ts', './a/part.ts'],
  ['adapters/redis/a/part.ts', '../../../src/core/index.ts'],
  ['src/testing/redis/a.ts', '../../redis/index.ts'],
  ['src/gateway/a.ts', '../../adapters/redis/ioredis.ts'],
  ['src/runtimes/a.ts', '../gateway/index.ts'],
])('%s may import %s', (file, imported) => {
  expect(lint(file, imported)).toMatch(/No fixes applied\.\s*$/)
})
