import { describe, expect, onTestFinished, test } from 'vitest'
import { createInfrastructure as createAtTheEdge } from '../../src/config/auto.edge.ts'
import { ConfigError, createInfrastructure } from '../../src/config/auto.node.ts'

const sasl = { KAFKA_USERNAME: 'user', KAFKA_PASSWORD: 'secret-1' }

/** Nothing is connected by it. */
function adapterOf(env: object): string {
  const infra = createInfrastructure(env, { logger: false })
  onTestFinished(() => infra.close())
  return infra.kafka.adapter
}

function problemsOf(env: object, create = createInfrastructure): readonly string[] {
  try {
    create(env)
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
  return []
}

test.each<[string, object]>([
  ['platformatic', { KAFKA_BROKERS: 'a:9092,b:9092', KAFKA_TOPIC: 'events' }],
  [
    'platformatic',
    { KAFKA_BROKERS: 'a', KAFKA_TLS: 'true', KAFKA_SASL_MECHANISM: 'SCRAM-SHA-512', ...sasl },
  ],
  [
    'platformatic',
    { kafka: { brokers: ['a:9092'], saslMechanism: 'OAUTHBEARER', token: () => 'token' } },
  ],
  ['rest', { KAFKA_REST_URL: 'https://proxy.example' }],
  [
    'rest',
    {
      KAFKA_REST_URL: 'https://proxy.example',
      KAFKA_REST_TOKEN: 't',
      KAFKA_REST_DIALECT: 'strimzi',
    },
  ],
  ['rest', { KAFKA_REST_URL: 'https://proxy.example', ...sasl }],
  [
    'upstash',
    {
      UPSTASH_KAFKA_REST_URL: 'https://kafka.example',
      UPSTASH_KAFKA_REST_USERNAME: 'user',
      UPSTASH_KAFKA_REST_PASSWORD: 'secret-1',
    },
  ],
  ['memory', { KAFKA_BROKERS: 'memory:' }],
  ['memory', { KAFKA_BROKERS: 'a:9092', KAFKA_ADAPTER: 'memory' }],
])('%s for %j', (adapter, env) => {
  expect(adapterOf(env)).toBe(adapter)
})

test('in memory there is the topic, since nobody else could have made it', async () => {
  const infra = createInfrastructure({ KAFKA_BROKERS: 'memory:', KAFKA_TOPIC: 'events' })
  onTestFinished(() => infra.close())
  expect(await infra.kafka.producer.send({ value: 'a' })).toMatchObject({
    topic: 'events',
    offset: 0n,
  })
  expect(await infra.health.check()).toMatchObject({ kafka: { status: 'healthy' } })
})

test('a topic alone configures nothing: it may be for something else', () => {
  const infra = createInfrastructure({ KAFKA_TOPIC: 'events' })
  expect(() => infra.kafka).toThrow('KAFKA_BROKERS: set it, since kafka is used')
})

describe('what is wrong is named with its fix, and without a value', () => {
  test.each<[object, string]>([
    [{ KAFKA_BROKERS: '' }, 'KAFKA_BROKERS: give it host:port'],
    [{ KAFKA_BROKERS: 'a:9092,,b' }, 'KAFKA_BROKERS: give it host:port'],
    [{ KAFKA_BROKERS: 'https://secret-1' }, 'KAFKA_BROKERS: give it host:port'],
    [{ KAFKA_BROKERS: 'a', KAFKA_TOPIC: 'a b' }, 'KAFKA_TOPIC: give it the name of a topic'],
    [{ KAFKA_BROKERS: 'a', KAFKA_REST_DIALECT: 'strimzi' }, 'KAFKA_REST_DIALECT: unset it'],
    [{ KAFKA_BROKERS: 'a', ...sasl }, 'KAFKA_SASL_MECHANISM: set it'],
    [{ KAFKA_BROKERS: 'a', KAFKA_SASL_MECHANISM: 'PLAIN' }, 'KAFKA_USERNAME: set it'],
    [{ KAFKA_BROKERS: 'a', KAFKA_SASL_MECHANISM: 'GSSAPI' }, 'KAFKA_SASL_MECHANISM: give it'],
    [{ KAFKA_BROKERS: 'a', KAFKA_USERNAME: 'user' }, 'KAFKA_PASSWORD: set it'],
    [{ KAFKA_BROKERS: 'a', KAFKA_REST_TOKEN: 'secret-1' }, 'KAFKA_REST_TOKEN: unset it'],
    [{ KAFKA_REST_URL: 'kafka://secret-1' }, 'KAFKA_REST_URL: give it https://host'],
    [{ KAFKA_REST_URL: 'https://a', KAFKA_TLS: 'true' }, 'KAFKA_TLS: unset it'],
    [{ KAFKA_REST_URL: 'https://a', KAFKA_BROKERS: 'a' }, 'KAFKA_BROKERS: unset it'],
    [{ UPSTASH_KAFKA_REST_URL: 'https://a' }, 'set it'],
    [{ KAFKA_ADAPTER: 'rest' }, 'KAFKA_REST_URL: set it to https://host'],
  ])('%j', (env, problem) => {
    const problems = problemsOf(env)
    expect(problems.join('\n')).toContain(problem)
    expect(problems.join('\n')).not.toContain('secret-1')
  })

  test('where there is no TCP', () => {
    const problems = problemsOf({ KAFKA_BROKERS: 'a:9092' }, createAtTheEdge)
    expect(problems.join()).toContain('this runtime cannot do TCP')
    expect(problemsOf({ KAFKA_REST_URL: 'https://a' }, createAtTheEdge)).toEqual([])
  })
})
