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

type Backend = 'mysql' | 'sqlserver'

test.each<[backend: Backend, adapter: string, resource: string | undefined, env: object]>([
  ['mysql', 'mysql2', 'a:3306/app', { MYSQL_URL: 'mysql://user:pass@a/app' }],
  ['mysql', 'mysql2', 'a:3307/app', { MYSQL_HOST: 'a', MYSQL_PORT: '3307', MYSQL_DATABASE: 'app' }],
  [
    'mysql',
    'mysql2',
    'a:3306',
    {
      mysql: { host: 'a', username: 'u', password: () => 'p', tls: { rejectUnauthorized: false } },
    },
  ],
  ['mysql', 'planetscale', 'a/mysql', { MYSQL_URL: 'https://a/mysql', MYSQL_TOKEN: 't' }],
  ['mysql', 'planetscale', 'a', { MYSQL_URL: 'https://u:p@a' }],
  [
    'mysql',
    'planetscale',
    'aws.connect.psdb.cloud',
    {
      DATABASE_HOST: 'aws.connect.psdb.cloud',
      DATABASE_USERNAME: 'u',
      DATABASE_PASSWORD: 'pscale_pw_x',
    },
  ],
  ['mysql', 'memory', undefined, { MYSQL_URL: 'memory:' }],
  ['sqlserver', 'mssql', 'a:1433/app', { SQLSERVER_URL: 'mssql://user:pass@a/app' }],
  [
    'sqlserver',
    'mssql',
    'a:1433/app',
    { SQLSERVER_URL: 'sqlserver://a:1433;database=app;user=u;password=p' },
  ],
  [
    'sqlserver',
    'mssql',
    'a:1433/app',
    { SQLSERVER_URL: 'Server=tcp:a,1433;Database=app;User Id=u;Password=p' },
  ],
  [
    'sqlserver',
    'mssql',
    'a:1433/app',
    {
      SQLSERVER_HOST: 'a',
      SQLSERVER_DATABASE: 'app',
      SQLSERVER_USERNAME: 'u',
      SQLSERVER_PASSWORD: 'p',
    },
  ],
  [
    'sqlserver',
    'mssql',
    'a:1433',
    { sqlserver: { host: 'a', accessToken: async () => 'token', encrypt: 'strict' } },
  ],
  [
    'sqlserver',
    'gateway',
    'a/sqlserver',
    { SQLSERVER_URL: 'https://a/sqlserver', SQLSERVER_TOKEN: 't' },
  ],
  ['sqlserver', 'memory', undefined, { SQLSERVER_URL: 'memory:' }],
])('%s by %s at %s for %j', (backend, adapter, resource, env) => {
  const infra = createInfrastructure(env, { logger: false })
  onTestFinished(() => infra.close())
  expect(infra[backend].adapter).toBe(adapter)
  expect(infra.describe()[backend]).toEqual({ adapter, resource })
})

describe('what is wrong is named with its fix, and without a value', () => {
  test.each<[object, string]>([
    [{ MYSQL_URL: 'postgres://secret-1' }, 'MYSQL_URL: give it mysql://host'],
    [{ MYSQL_URL: 'https://a' }, 'MYSQL_USERNAME: set it, since MySQL is over HTTP'],
    [{ MYSQL_URL: 'https://a', MYSQL_USERNAME: 'u' }, 'MYSQL_PASSWORD: set it'],
    [
      { MYSQL_URL: 'https://a', MYSQL_TOKEN: 'secret-1', MYSQL_PASSWORD: 'secret-1' },
      'MYSQL_TOKEN: unset it, or MYSQL_USERNAME',
    ],
    [{ MYSQL_URL: 'mysql://a', MYSQL_TOKEN: 'secret-1' }, 'MYSQL_TOKEN: unset it'],
    [{ MYSQL_URL: 'mysql://a', MYSQL_HOST: 'b' }, 'MYSQL_HOST: unset it'],
    [{ MYSQL_HOST: 'a', DATABASE_HOST: 'b' }, 'MYSQL_HOST: unset it'],
    [{ DATABASE_HOST: 'a', DATABASE_USERNAME: 'u' }, 'DATABASE_PASSWORD: set it'],
    [{ MYSQL_DATABASE: 'a' }, 'MYSQL_URL: set it, or MYSQL_HOST'],
    [{ SQLSERVER_URL: 'postgres://secret-1' }, 'SQLSERVER_URL: give it mssql://host'],
    [{ SQLSERVER_URL: 'https://a' }, 'SQLSERVER_TOKEN: set it'],
    [{ SQLSERVER_URL: 'mssql://a', SQLSERVER_HOST: 'b' }, 'SQLSERVER_HOST: unset it'],
    [{ SQLSERVER_HOST: 'a', SQLSERVER_USERNAME: 'u' }, 'SQLSERVER_PASSWORD: set it'],
    [{ SQLSERVER_HOST: 'a', SQLSERVER_ENCRYPT: 'secret-1' }, 'SQLSERVER_ENCRYPT: give it true'],
    [
      { SQLSERVER_HOST: 'a', SQLSERVER_ADAPTER: 'gateway' },
      'SQLSERVER_URL: set it to https://host',
    ],
    [{ SQLSERVER_DATABASE: 'a' }, 'SQLSERVER_URL: set it, or SQLSERVER_HOST'],
  ])('%j', (env, problem) => {
    const problems = problemsOf(env)
    expect(problems.join('\n')).toContain(problem)
    expect(problems.join('\n')).not.toContain('secret-1')
  })

  test('where there is no TCP, and no SQLite', () => {
    for (const env of [{ MYSQL_URL: 'mysql://a' }, { SQLSERVER_URL: 'mssql://a' }]) {
      expect(problemsOf(env, createAtTheEdge).join()).toContain('cannot do TCP')
    }
    for (const env of [{ MYSQL_URL: 'memory:' }, { SQLSERVER_URL: 'memory:' }]) {
      expect(problemsOf(env, createAtTheEdge).join()).toContain('memory: is for Node')
    }
  })
})
