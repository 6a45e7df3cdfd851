import { describe, expect, onTestFinished, test } from 'vitest'
import { createInfrastructure as createAtTheEdge } from '../../src/config/auto.edge.ts'
import { ConfigError, createInfrastructure } from '../../src/config/auto.node.ts'

function problemsOf(env: object, create = createInfrastructure): readonly string[] {
  try {
    create(env)
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
  return []
}

test.each<[adapter: string, database: string, env: object]>([
  ['mongodb', 'app', { MONGODB_URL: 'mongodb://user:pass@a:27017,b:27017/app?replicaSet=rs0' }],
  ['mongodb', 'other', { MONGODB_URL: 'mongodb+srv://a.example/app', MONGODB_DATABASE: 'other' }],
  ['mongodb', 'test', { MONGODB_HOST: 'a', MONGODB_PORT: '27018' }],
  [
    'mongodb',
    'app',
    { mongodb: { host: 'a', username: 'u', password: () => 'p', database: 'app' } },
  ],
  [
    'data-api',
    'app',
    { MONGODB_URL: 'https://a/mongodb', MONGODB_TOKEN: 't', MONGODB_DATABASE: 'app' },
  ],
  ['data-api', 'test', { mongodb: { url: 'https://a', apiKey: 'key', dialect: 'atlas' } }],
  [
    'data-api',
    'test',
    { mongodb: { url: 'https://a', username: 'u', password: 'p', dialect: 'ferretdb' } },
  ],
  ['memory', 'app', { MONGODB_URL: 'memory:', MONGODB_DATABASE: 'app' }],
])('%s, database %s, for %j', (adapter, database, env) => {
  const infra = createInfrastructure(env, { logger: false })
  onTestFinished(() => infra.close())
  expect(infra.mongodb.adapter).toBe(adapter)
  expect(infra.mongodb.database().name).toBe(database)
})

describe('what is wrong is named with its fix, and without a value', () => {
  test.each<[object, string]>([
    [{ MONGODB_URL: 'postgres://secret-1' }, 'MONGODB_URL: give it mongodb://host'],
    [{ MONGODB_URL: 'https://a' }, 'MONGODB_TOKEN: set it, since MONGODB_URL is over HTTP'],
    [{ MONGODB_URL: 'mongodb://a', MONGODB_TOKEN: 'secret-1' }, 'MONGODB_TOKEN: unset it'],
    [{ MONGODB_URL: 'mongodb://a', MONGODB_HOST: 'b' }, 'MONGODB_HOST: unset it'],
    [{ MONGODB_HOST: 'a', MONGODB_USERNAME: 'u' }, 'MONGODB_PASSWORD: set it'],
    [{ MONGODB_HOST: 'a', MONGODB_PORT: '0' }, 'MONGODB_PORT: give it a port'],
    [{ MONGODB_DATABASE: 'a b', MONGODB_HOST: 'a' }, 'MONGODB_DATABASE: give it the name'],
    [{ MONGODB_HOST: 'a', MONGODB_ADAPTER: 'data-api' }, 'MONGODB_URL: set it to https://host'],
    [{ MONGODB_PORT: '27017' }, 'MONGODB_URL: set it, or MONGODB_HOST'],
  ])('%j', (env, problem) => {
    const problems = problemsOf(env)
    expect(problems.join('\n')).toContain(problem)
    expect(problems.join('\n')).not.toContain('secret-1')
  })

  test('where there is no TCP, and no room for a database', () => {
    expect(problemsOf({ MONGODB_URL: 'mongodb://a' }, createAtTheEdge).join()).toContain(
      'cannot do TCP',
    )
    expect(problemsOf({ MONGODB_URL: 'memory:' }, createAtTheEdge).join()).toContain(
      'memory: is for Node',
    )
  })
})
