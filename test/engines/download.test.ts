import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'

let root: string
let recipe: URL
let downloaded: typeof import('./download.ts').downloaded

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'dualport-'))
  vi.stubEnv('XDG_CACHE_HOME', join(root, 'cache'))
  vi.resetModules()
  downloaded = (await import('./download.ts')).downloaded
  await mkdir(join(root, 'thing'))
  await writeFile(join(root, 'thing/version'), '1')
  recipe = pathToFileURL(`${root}/thing/`)
})

afterEach(async () => {
  vi.unstubAllEnvs()
  await rm(root, { recursive: true })
})

test('several who ask at once share one download', async () => {
  let fetched = 0
  const fetch = async (directory: string) => {
    fetched++
    await writeFile(join(directory, 'file'), 'whole')
  }
  const [one, two] = await Promise.all([downloaded(recipe, fetch), downloaded(recipe, fetch)])
  expect(fetched).toBe(1)
  expect(two).toBe(one)
  expect(await readFile(join(one, 'file'), 'utf8')).toBe('whole')
})

test('a download that fails leaves nothing, and is tried again', async () => {
  await expect(downloaded(recipe, () => Promise.reject(new Error('offline')))).rejects.toThrow(
    'offline',
  )
  expect(await readdir(join(root, 'cache/dualport/engines'))).toEqual([])
  await downloaded(recipe, async () => {})
})

test('another recipe is another download', async () => {
  const first = await downloaded(recipe, async () => {})
  await writeFile(join(root, 'thing/version'), '2')
  expect(await downloaded(recipe, async () => {})).not.toBe(first)
})

test('what a killed download left behind holds nobody up', async () => {
  const target = await downloaded(recipe, async () => {})
  await rm(target, { recursive: true })
  const gone = 2 ** 22 + 1 // Above any process id of Linux.
  await symlink(`${gone}`, `${target}.lock`)
  await mkdir(`${target}.${gone}`)
  await downloaded(recipe, async () => {})
  expect(await readdir(join(root, 'cache/dualport/engines'))).toEqual([target.split('/').at(-1)])
})
