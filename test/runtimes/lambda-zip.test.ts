import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, describe, expect, test } from 'vitest'
import { bundleLambda } from '../../scripts/build-lambda.ts'
import type { CreateInfrastructure } from '../../src/config/index.ts'

const directory = await mkdtemp(join(tmpdir(), 'dualport-'))
afterAll(() => rm(directory, { recursive: true }))

const entry = new URL('../../src/config/auto.node.ts', import.meta.url)
const code = await bundleLambda(entry, ['redis/rest'])
const file = join(directory, 'index.mjs')
await writeFile(file, code)
const { createInfrastructure } = (await import(pathToFileURL(file).href)) as {
  createInfrastructure: CreateInfrastructure
}

function problemsOf(env: object): readonly string[] {
  try {
    createInfrastructure(env)
    return []
  } catch (error) {
    return (error as { problems: string[] }).problems
  }
}

const redis = { REDIS_URL: 'https://a', REDIS_TOKEN: 't' }

describe('a zip that was built for one backend', () => {
  test('has it, and says nothing of the others', async () => {
    const infra = createInfrastructure(redis)
    expect(infra.describe()).toEqual({ redis: { adapter: 'rest', resource: 'a' } })
    await infra.close()
  })

  test('has no client of the others, and says so when they are configured', () => {
    expect(problemsOf({ ...redis, KAFKA_BROKERS: 'a:9092' })).toEqual([
      expect.stringMatching(/^KAFKA_\w+: build the zip with it set/),
    ])
    expect(problemsOf({ ...redis, mongodb: { url: 'mongodb://a' } })).toEqual([
      expect.stringContaining('this one carries no client of mongodb'),
    ])
    expect(code).not.toContain('mongodb_query_duration_seconds')
  })

  test('lacks the other adapters of its backend', () => {
    expect(() => createInfrastructure({ REDIS_URL: 'redis://a' })).toThrow(
      'the zip does not carry this adapter',
    )
  })
})
