import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { sqlite } from '../../adapters/keyvault/sqlite.ts'
import { KeyVault } from '../../src/keyvault/index.ts'

async function file(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'dualport-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  return join(folder, 'vault.sqlite')
}

async function namesIn(items: AsyncIterable<{ readonly name: string }>): Promise<string[]> {
  const names: string[] = []
  for await (const { name } of items) names.push(name)
  return names
}

test('what is in the file is there the next time, for its owner only', async () => {
  const path = await file()
  const before = new KeyVault(sqlite({ path }), { logger: false })
  const { version } = await before.setSecret('a', 'one', { tags: { k: '✓' } })
  await before.setSecret('a', 'two')
  for (const name of ['c', 'b', 'd']) await before.setSecret(name, 'x')
  await before.deleteSecret('d')
  await before.close()
  expect((await stat(path)).mode & 0o077).toBe(0)

  const after = new KeyVault(sqlite({ path }), { logger: false })
  expect((await after.getSecret('A')).reveal()).toBe('two')
  expect(await after.getSecret('a', { version })).toMatchObject({ tags: { k: '✓' } })
  expect(await namesIn(after.listSecrets({ pageSize: 1 }))).toEqual(['a', 'b', 'c'])
  expect(await namesIn(after.listDeletedSecrets())).toEqual(['d'])
  await after.recoverSecret('d')
  await after.deleteSecret('a')
  await after.purgeSecret('a')
  expect(await namesIn(after.listSecrets())).toEqual(['b', 'c', 'd'])
  await after.close()
})

test('a path that cannot be one is refused at once', async () => {
  const path = join(await file(), 'below-what-is-no-folder')
  expect(() => sqlite({ path })).toThrow(expect.objectContaining({ code: 'KEYVAULT_CONFIG' }))
})
