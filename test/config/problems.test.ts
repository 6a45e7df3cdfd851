import { inspect } from 'node:util'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createInfrastructure as onEdge } from '../../src/config/auto.edge.ts'
import { ConfigError, createInfrastructure as onNode } from '../../src/config/auto.node.ts'

/** The problems of a configuration, one line each; none if it is accepted. */
function problems(source: object, create = onNode): readonly string[] {
  try {
    create(source)
    return []
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    expect(error).toMatchObject({ code: 'CONFIG_CONFIG', kind: 'config', outcome: 'not-applied' })
    expect(error.message).toBe(`config read: ${error.problems.join('\n')}`)
    return error.problems
  }
}

/** The names that they begin with. */
const named = (lines: readonly string[]) => lines.map((line) => /^[\w.]+(?=: )/.exec(line)?.[0])

test('ten mistakes give ten lines, each with its variable and a fix', () => {
  const mistakes = {
    REDIS_URL: 'ftp://secret',
    REDIS_TOKEN: 'se cret',
    REDIS_ADAPTER: 'secret',
    REDIS_HOST: 'redis://secret',
    REDIS_PORT: '65536',
    REDIS_USERNAME: '',
    REDIS_PASSWORD: '',
    REDIS_DB: 'secret',
    REDIS_TLS: 'secret',
    REDIS_CLUSTER: 'secret',
  }
  const lines = problems(mistakes)
  expect(named(lines)).toEqual(Object.keys(mistakes))
  for (const line of lines) expect(line).toMatch(/: give it /)
  expect(lines.join()).not.toContain('secret')
})

test.each<[string, object, RegExp | string]>([
  ['an unknown scheme', { REDIS_URL: 'amqp://host' }, /^REDIS_URL: give it redis:\/\//],
  ['no scheme', { REDIS_URL: 'host:6379' }, 'REDIS_URL'],
  ['no host', { REDIS_URL: 'redis:6379' }, 'REDIS_URL'],
  ['not a URL', { REDIS_URL: 'redis://[' }, 'REDIS_URL'],
  ['not a text', { REDIS_URL: {} }, 'REDIS_URL'],
  ['an empty URL', { REDIS_URL: '' }, 'REDIS_URL'],
  ['a path that is no database', { REDIS_URL: 'redis://host/cache' }, 'REDIS_URL'],
  ['a query', { REDIS_URL: 'redis://host?db=3' }, /^REDIS_URL: take the query/],
  ['bad percent-encoding', { REDIS_URL: 'redis://:100%@host' }, /^REDIS_URL: percent-encode/],
  ['HTTP without a token', { REDIS_URL: 'https://host' }, /^REDIS_TOKEN: set it, since REDIS_URL/],
  [
    'HTTP without a token, by the names of Upstash',
    { UPSTASH_REDIS_REST_URL: 'https://host' },
    /^REDIS_TOKEN: set it, since UPSTASH_REDIS_REST_URL/,
  ],
  ['a token alone', { REDIS_TOKEN: 't' }, /^REDIS_URL: set it/],
  ['a port alone', { REDIS_PORT: '6379' }, /^REDIS_URL: set it, or REDIS_HOST/],
  ['credentials in an HTTP URL', { REDIS_URL: 'https://:t@host', REDIS_TOKEN: 't' }, 'REDIS_URL'],
  [
    'two URLs',
    { REDIS_URL: 'redis://host', UPSTASH_REDIS_REST_URL: 'https://host' },
    /^UPSTASH_REDIS_REST_URL: unset it or REDIS_URL/,
  ],
  ['a URL and a host', { REDIS_URL: 'redis://host', REDIS_HOST: 'host' }, 'REDIS_HOST'],
  ['a URL and a port', { REDIS_URL: 'redis://host', REDIS_PORT: 6380 }, 'REDIS_PORT'],
  ['a URL and nodes', { REDIS_URL: 'redis://host', REDIS_CLUSTER: 'a:1,b:2' }, 'REDIS_CLUSTER'],
  ['a node without a port', { REDIS_CLUSTER: 'a:1,b' }, 'REDIS_CLUSTER'],
  ['a node with a port that cannot be', { REDIS_CLUSTER: 'a:1,b:65536' }, 'REDIS_CLUSTER'],
  ['a database of a cluster', { REDIS_CLUSTER: 'a:1', REDIS_DB: '1' }, 'REDIS_DB'],
  ['the same in its URL', { REDIS_URL: 'redis://host/1', REDIS_CLUSTER: 'true' }, 'REDIS_URL'],
  ['another adapter', { REDIS_URL: 'redis://host', REDIS_ADAPTER: 'rest' }, 'REDIS_ADAPTER'],
  ['an adapter alone', { REDIS_ADAPTER: 'ioredis' }, 'REDIS_URL'],
  ['a token for TCP', { REDIS_URL: 'redis://host', REDIS_TOKEN: 't' }, 'REDIS_TOKEN'],
  [
    'a password for HTTP',
    { REDIS_URL: 'https://host', REDIS_TOKEN: 't', REDIS_PASSWORD: 'p' },
    /^REDIS_PASSWORD: unset it; rest/,
  ],
  ['a slip in a name', { REDIS_UR: 'redis://host' }, /^REDIS_UR: rename it, if REDIS_URL/],
  ['two letters swapped', { REIDS_URL: 'redis://host' }, 'REIDS_URL'],
  ['no such setting', { redis: { host: 'host', prot: 1 } }, /^redis\.prot: .*\bport\b/],
  ['a setting of the wrong type', { redis: { host: 'host', port: '6379!' } }, 'redis.port'],
  ['no address', { redis: {} }, /^redis\.url: set it, or redis\.host/],
  ['settings that are none', { redis: 'redis://host' }, 'redis'],
])('%s is one problem', (_, source, wanted) => {
  const lines = problems(source)
  expect(lines).toHaveLength(1)
  if (typeof wanted === 'string') expect(named(lines)).toEqual([wanted])
  else expect(lines[0]).toMatch(wanted)
})

test('an environment that is not there is one problem', () => {
  expect(named(problems(undefined as unknown as object))).toEqual(['env'])
})

test.each<[string, object, string | undefined]>([
  ['redis://', { REDIS_URL: 'redis://user:pass@host:1/2' }, 'ioredis host:1/2'],
  ['rediss://', { REDIS_URL: 'rediss://host' }, 'ioredis host:6379/0'],
  ['https://', { REDIS_URL: 'https://host/redis', REDIS_TOKEN: 't' }, 'rest host/redis'],
  ['http://', { REDIS_URL: 'http://host:1', REDIS_TOKEN: async () => 't' }, 'rest host:1'],
  ['memory:', { REDIS_URL: 'memory:' }, 'memory undefined'],
  [
    'the names of Upstash',
    { UPSTASH_REDIS_REST_URL: 'https://host', UPSTASH_REDIS_REST_TOKEN: 't' },
    'rest host',
  ],
  ['host and port', { REDIS_HOST: 'host', REDIS_PORT: '1', REDIS_DB: '2' }, 'ioredis host:1/2'],
  ['a host alone', { REDIS_HOST: '::1' }, 'ioredis ::1:6379/0'],
  ['nodes of a cluster', { REDIS_CLUSTER: 'a:1,[::1]:2' }, 'ioredis a:1,::1:2'],
  ['one node of a cluster', { REDIS_HOST: 'a', REDIS_CLUSTER: '1' }, 'ioredis a:6379'],
  [
    'memory over all else',
    { REDIS_URL: 'redis://host', REDIS_ADAPTER: 'memory' },
    'memory undefined',
  ],
  [
    'an object',
    { redis: { url: 'redis://host', password: async () => 'p' } },
    'ioredis host:6379/0',
  ],
  ['an object over variables', { REDIS_URL: '?', redis: { host: 'host' } }, 'ioredis host:6379/0'],
  [
    'a port of Kubernetes',
    { REDIS_URL: 'redis://host', REDIS_PORT: 'tcp://10.0.0.1:6379' },
    'ioredis host:6379/0',
  ],
  ['a port of Kubernetes alone', { REDIS_PORT: 'tcp://10.0.0.1:6379' }, undefined],
  [
    'names of somebody else',
    { REDIS_URL: 'redis://host', REDIS_HOST1: 'a' },
    'ioredis host:6379/0',
  ],
  ['nothing', {}, undefined],
])('%s is accepted', (_, source, wanted) => {
  const { redis } = onNode(source).describe()
  expect(redis && `${redis.adapter} ${redis.resource}`).toBe(wanted)
})

describe('where there is no TCP', () => {
  test.each([
    { REDIS_URL: 'redis://host' },
    { REDIS_URL: 'rediss://host', REDIS_TOKEN: 't' },
    { REDIS_HOST: 'host', REDIS_PORT: '1' },
    { REDIS_CLUSTER: 'host:1' },
    { redis: { adapter: 'ioredis', host: 'host' } },
  ])('%j is one problem', (source) => {
    expect(problems(source, onEdge)).toEqual([
      expect.stringMatching(/^(REDIS_URL|redis\.url): set it to https:\/\/.*TCP/),
    ])
  })

  test.each([
    { REDIS_URL: 'https://host', REDIS_TOKEN: 't' },
    { REDIS_URL: 'memory:' },
    { REDIS_ADAPTER: 'memory', REDIS_URL: 'redis://host' },
  ])('%j is accepted', (source) => {
    expect(problems(source, onEdge)).toEqual([])
  })
})

test('what is not configured is said when it is used', () => {
  expect(() => onNode({}).redis).toThrow(/REDIS_URL: set it/)
  expect(onNode({}, { embedded: true }).redis.adapter).toBe('memory')
})

test('no value is in any message or description, whatever is wrong', () => {
  const secret = 'kE7-vault'
  const shapes = (
    'redis://:S@host redis://host/S redis://:S%@host rediss://S:S@[ https://S@host memory:S ' +
    'https://host?token=S ftp://S S /S %S a:1,S'
  ).split(' ')
  const value = fc.oneof(
    fc.constantFrom(...shapes, 'S S', 'S\n'),
    fc.string().map((text) => `${text}S`),
    fc.webUrl({ withQueryParameters: true }).map((url) => url.replace('://', '://u:S@')),
  )
  const names = (
    'REDIS_URL REDIS_TOKEN REDIS_ADAPTER REDIS_PORT REDIS_USERNAME REDIS_PASSWORD REDIS_DB REDIS_TLS ' +
    'REDIS_CLUSTER REDIS_UR UPSTASH_REDIS_REST_URL UPSTASH_REDIS_REST_TOKEN'
  ).split(' ')
  const env = fc.dictionary(fc.constantFrom(...names), value, { minKeys: 1 })
  fc.assert(
    fc.property(env, fc.boolean(), (given, edge) => {
      const filled = Object.fromEntries(
        Object.entries(given).map(([name, text]) => [name, text.replaceAll('S', secret)]),
      )
      let said: string
      try {
        const infra = (edge ? onEdge : onNode)(filled)
        said = inspect([infra, infra.describe()], { depth: 10 })
      } catch (error) {
        said = inspect(error, { depth: 10, showHidden: true })
      }
      return !said.includes(secret)
    }),
    { numRuns: 1000 },
  )
})
