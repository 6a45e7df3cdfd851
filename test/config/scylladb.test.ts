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

test.each<[adapter: string, resource: string, env: object]>([
  [
    'cassandra-driver',
    'a:9042,b:9142/app',
    { SCYLLADB_HOSTS: 'a, b:9142', SCYLLADB_KEYSPACE: 'app', SCYLLADB_LOCAL_DC: 'dc1' },
  ],
  ['cassandra-driver', 'a:9042/app', { SCYLLADB_URL: 'cql://u:p@a/app?localDataCenter=dc1' }],
  [
    'cassandra-driver',
    'a:9042',
    { scylladb: { hosts: ['a'], username: 'u', password: () => 'p', profile: 'server' } },
  ],
  ['gateway', 'a/scylladb', { SCYLLADB_URL: 'https://a/scylladb', SCYLLADB_TOKEN: 't' }],
])('%s at %s for %j', (adapter, resource, env) => {
  const infra = createInfrastructure(env, { logger: false })
  onTestFinished(() => infra.close())
  expect(infra.scylladb.adapter).toBe(adapter)
  expect(infra.describe().scylladb).toEqual({ adapter, resource })
})

test('pages need the key, and nothing but the key', async () => {
  const env = { SCYLLADB_HOSTS: '127.0.0.1:1', SCYLLADB_LOCAL_DC: 'dc1' }
  const page = async (env: object) => {
    const infra = createInfrastructure(env, { logger: false, retry: false })
    onTestFinished(() => infra.close())
    return infra.scylladb.page('SELECT key FROM system.local', [], { timeoutMs: 2000 })
  }
  const withKey = { ...env, SCYLLADB_PAGING_KEY: Buffer.alloc(32, 1).toString('base64') }
  await expect(page(env)).rejects.toMatchObject({ kind: 'config' })
  await expect(page(withKey)).rejects.toMatchObject({ kind: 'unavailable' })
})

describe('what is wrong is named with its fix, and without a value', () => {
  test.each<[object, string]>([
    [{ SCYLLADB_URL: 'postgres://secret-1' }, 'SCYLLADB_URL: give it cql://host'],
    [{ SCYLLADB_URL: 'https://a' }, 'SCYLLADB_TOKEN: set it'],
    [{ SCYLLADB_HOSTS: 'a,' }, 'SCYLLADB_HOSTS: give it host,host:port'],
    [{ SCYLLADB_HOSTS: 'a', SCYLLADB_TOKEN: 'secret-1' }, 'SCYLLADB_TOKEN: unset it'],
    [{ SCYLLADB_HOSTS: 'a', SCYLLADB_URL: 'cql://a' }, 'SCYLLADB_HOSTS: unset it'],
    [{ SCYLLADB_HOSTS: 'a', SCYLLADB_USERNAME: 'u' }, 'SCYLLADB_PASSWORD: set it'],
    [{ SCYLLADB_HOSTS: 'a', SCYLLADB_PAGING_KEY: 'secret-1' }, 'SCYLLADB_PAGING_KEY: give it 32'],
    [{ SCYLLADB_HOSTS: 'a', SCYLLADB_CONSISTENCY: 'MOST' }, 'SCYLLADB_CONSISTENCY: give it one of'],
    [{ SCYLLADB_KEYSPACE: 'a' }, 'SCYLLADB_URL: set it, or SCYLLADB_HOSTS'],
  ])('%j', (env, problem) => {
    const problems = problemsOf(env)
    expect(problems.join('\n')).toContain(problem)
    expect(problems.join('\n')).not.toContain('secret-1')
  })

  test('where there is no TCP', () => {
    expect(problemsOf({ SCYLLADB_HOSTS: 'a' }, createAtTheEdge).join()).toContain('cannot do TCP')
  })
})
