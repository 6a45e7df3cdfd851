import { inspect } from 'node:util'
import { expect, test } from 'vitest'
import { Secret, type SecretData } from '../../src/keyvault/index.ts'

const value = 'hunter2-of-the-tests'
const data: SecretData = {
  name: 'db-password',
  version: '0123456789abcdef0123456789abcdef',
  enabled: true,
  createdOn: new Date(0),
  tags: { team: 'blau', größe: '大' },
  value,
}
const secret = new Secret(data)

test('the value comes by reveal() and the properties as they are', () => {
  expect(secret.reveal()).toBe(value)
  expect(secret).toMatchObject({ name: data.name, version: data.version, tags: data.tags })
  expect(secret.stale).toBe(false)
})

const ways: Record<string, (secret: Secret) => unknown> = {
  'a template string': (secret) => `${secret}`,
  'String()': String,
  'a sum': (secret) => `password=${String(secret)}`,
  'JSON.stringify': (secret) => JSON.stringify({ secret, list: [secret] }),
  'util.inspect': (secret) => inspect(secret),
  'util.inspect of everything': (secret) =>
    inspect(
      { deep: [secret] },
      { showHidden: true, customInspect: false, depth: 10, getters: true },
    ),
  'util.inspect of a proxy': (secret) => inspect(new Proxy(secret, {}), { showProxy: true }),
  'its own properties': (secret) =>
    Reflect.ownKeys(secret).map((key) => [key, Reflect.get(secret, key)].map(String)),
  'a spread copy': (secret) => inspect({ ...secret }),
  'a structured clone': (secret) => inspect(structuredClone(secret)),
  'an error with it as its cause': (secret) => inspect(new Error('no', { cause: secret })),
  'an error about it': (secret) => inspect(new Error(`no: ${secret}`)),
}

test.each(Object.entries(ways))('%s does not show the value', (_, way) => {
  expect(inspect(way(secret), { depth: 10 })).not.toContain(value)
})

test('a copy has no value to give, and says nothing of it', () => {
  const copy = Object.create(secret) as Secret
  expect(() => copy.reveal()).toThrow(TypeError)
  expect(structuredClone(secret)).not.toHaveProperty('reveal')
})
