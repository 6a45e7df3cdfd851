import { afterAll, describe, expect, test } from 'vitest'
import manifest from '../../package.json' with { type: 'json' }
import { entries, installPackage } from './project.ts'

/** What is mounted into an application of Hono uses the application's own. */
const router = 'dualport/health/router'

describe('the tarball in an empty project', async () => {
  const project = await installPackage()
  await project.link('hono')
  afterAll(() => project.remove())

  test.each(entries)('%s imports with no driver present', async (entry) => {
    const names = await project.evaluate(
      `console.log(JSON.stringify(Object.keys(await import('${entry}'))))`,
    )
    expect(names).not.toHaveLength(0)
  })

  test('an absent driver is a config error that names the install command', async () => {
    const error = await project.evaluate(`
      import { Redis } from 'dualport/redis'
      import { ioredis } from 'dualport/redis/ioredis'
      const redis = new Redis(ioredis({ url: 'redis://127.0.0.1:1' }))
      const { kind, message, outcome } = await redis.get('key').catch((error) => error)
      console.log(JSON.stringify({ kind, message, outcome }))
    `)
    expect(error).toMatchObject({
      kind: 'config',
      outcome: 'not-applied',
      message: expect.stringContaining('npm install ioredis'),
    })
  })

  test('the types stand on their own', async () => {
    // MongoDB's values are bson's.
    await project.link('@types/node', 'undici-types', 'bson')
    const withoutDriver = entries.filter(
      (entry) => !/ioredis|upstash|prometheus|azure-sdk/.test(entry),
    )
    await project.write(
      'consumer.ts',
      withoutDriver.map((entry, i) => `export * as entry${i} from '${entry}'`).join('\n'),
    )
    await project.run('tsc', [
      ...['--noEmit', '--strict', '--skipLibCheck', 'false', '--types', 'node'],
      ...['--module', 'nodenext', '--target', 'es2023', '--lib', 'es2024', 'consumer.ts'],
    ])
  })
})

describe('where every driver is installed', async () => {
  const project = await installPackage()
  await project.link(...Object.keys(manifest.peerDependencies))
  afterAll(() => project.remove())

  test.each(
    entries.filter((entry) => entry !== router),
  )('importing %s loads none of them', async (entry) => {
    const loaded = (await project.evaluate(`
      import { registerHooks } from 'node:module'
      const loaded = []
      registerHooks({ load: (url, context, next) => (loaded.push(url), next(url, context)) })
      await import('${entry}')
      console.log(JSON.stringify(loaded))
    `)) as string[]
    const foreign = loaded.filter((url) => !/^node:|\/dualport\/dist\//.test(url))
    expect(loaded).not.toHaveLength(0)
    expect(foreign).toEqual([])
  })
})
