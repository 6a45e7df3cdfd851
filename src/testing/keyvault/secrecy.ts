import { type InfraError, isInfraError } from '../../core/index.ts'
import { type KeyVault, Secret } from '../../keyvault/index.ts'
import { equal, ok } from '../assert.ts'
import type { KeyVaultCase } from './fixture.ts'

/** Nothing in it needs escaping, whatever prints it. */
const marker = 'a-secret-7-that-nothing-may-show'

type Inspect = (value: unknown, options?: object) => string

/** Node's, which `console.log` prints by, where there is one. */
const inspect: Inspect = (value, options) => {
  const { process } = globalThis as {
    process?: { getBuiltinModule?: (id: 'node:util') => { inspect: Inspect } }
  }
  return process?.getBuiltinModule?.('node:util').inspect(value, options) ?? String(value)
}

/** How a secret may come to be shown. */
const ways: Readonly<Record<string, (secret: Secret) => unknown>> = {
  'a template string': (secret) => `${secret}`,
  'a sum of texts': (secret) => `password=${String(secret)}`,
  'JSON.stringify': (secret) => JSON.stringify({ secret, list: [secret] }),
  inspect: (secret) => inspect(secret),
  'inspect of what is hidden': (secret) =>
    inspect([{ secret }], { showHidden: true, customInspect: false, depth: 10, getters: true }),
  'a spread copy': (secret) => inspect({ ...secret }) + JSON.stringify({ ...secret }),
  'Object.assign': (secret) => JSON.stringify(Object.assign({}, secret)),
  'its own properties': (secret) =>
    Reflect.ownKeys(secret)
      .map((key) => String(Reflect.get(secret, key)))
      .join(),
  'a structured clone': (secret) => inspect(structuredClone(secret)),
  'an error about it': (secret) => inspect(new Error(`no: ${secret}`)),
  'an error with it as its cause': (secret) => inspect(new Error('no', { cause: secret })),
}

function printed(error: InfraError): string {
  const parts = [error.message, error.stack, String(error), JSON.stringify(error), inspect(error)]
  for (let cause = error.cause; cause instanceof Error; cause = cause.cause) {
    parts.push(cause.message, cause.stack, JSON.stringify({ ...cause }))
  }
  for (const item of error.items ?? []) {
    if (item.status === 'rejected') parts.push(printed(item.reason))
  }
  return parts.join('\n')
}

/** Calls that fail, each in another way and with the marker wherever data can be. */
function failing(keyvault: KeyVault, name: (end: string) => string): Record<string, () => unknown> {
  const [deleted, off] = [name(`deleted-${marker}`), name(`off-${marker}`)]
  const none = name(`none-${marker}`)
  return {
    'no such secret': () => keyvault.getSecret(none),
    'no such version': () => keyvault.getSecret(off, { version: 'f'.repeat(32) }),
    'a disabled secret': () => keyvault.getSecret(off),
    'a deleted name': () => keyvault.setSecret(deleted, marker, { tags: { [marker]: marker } }),
    'several secrets': () => keyvault.getSecrets([none, off]),
    'an invalid name': () => keyvault.getSecret(`${marker} ${marker}`),
    'an invalid version': () => keyvault.getSecret(none, { version: marker }),
    'a value that is too long': () => keyvault.setSecret(none, marker.repeat(900)),
    'a value of the wrong type': () => keyvault.setSecret(none, { marker } as never),
    'an invalid tag': () => keyvault.setSecret(none, marker, { tags: { [marker]: 7 as never } }),
    'a content type of the wrong type': () =>
      keyvault.setSecret(none, marker, { contentType: [marker] as never }),
    'an option with a secret name': () => keyvault.getSecret(none, { [marker]: marker } as never),
    'a correlation ID with spaces': () =>
      keyvault.getSecret(none, { correlationId: `${marker} ${marker}` }),
    'an aborted call': () =>
      keyvault.setSecret(none, marker, { signal: AbortSignal.abort(new Error(marker)) }),
    'no backup': () => keyvault.restoreSecret(new TextEncoder().encode(marker)),
    'an unknown page': () => keyvault.listVersions(off).page(`https://localhost:1/${marker}`),
    'a name to delete': () => keyvault.deleteSecret(none),
    'the health of a secret': () => keyvault.health({ secret: none }),
  }
}

async function prepare(keyvault: KeyVault, name: (end: string) => string): Promise<void> {
  await keyvault.setSecret(name(`off-${marker}`), marker, { enabled: false })
  await keyvault.setSecret(name(`deleted-${marker}`), marker)
  await keyvault.deleteSecret(name(`deleted-${marker}`))
}

async function failureOf(work: () => unknown, what: string): Promise<InfraError> {
  try {
    await work()
  } catch (error) {
    if (isInfraError(error)) return error
    throw new Error(`${what}: not an InfraError: ${error}`)
  }
  throw new Error(`${what}: it did not fail`)
}

export const secrecy: readonly KeyVaultCase[] = [
  ...Object.entries(ways).map(
    ([what, way]): KeyVaultCase => ({
      name: `a secret does not show its value: ${what}`,
      async run({ keyvault, name }) {
        await keyvault.setSecret(name(), marker)
        const secret = await keyvault.getSecret(name())
        ok(secret instanceof Secret, 'it is no Secret')
        ok(!inspect(way(secret), { depth: 10 }).includes(marker), 'it does')
        equal(secret.reveal(), marker)
      },
    }),
  ),
  {
    name: 'no error shows a name or a value',
    async run({ keyvault, name }) {
      await prepare(keyvault, name)
      for (const [what, work] of Object.entries(failing(keyvault, name))) {
        const text = printed(await failureOf(work, what))
        ok(!text.includes(marker), `${what}: the error shows it:\n${text}`)
      }
    },
  },
  {
    name: 'no log record, metric or span shows a name or a value',
    async run({ create, name }) {
      const seen: unknown[] = []
      const note = (...items: unknown[]) => {
        seen.push(items)
      }
      const instrument = (...items: unknown[]) => {
        note(...items)
        return note
      }
      const keyvault = create({
        logSuccess: true,
        logger: { debug: note, info: note, warn: note, error: note },
        metrics: { histogram: instrument, counter: instrument, gauge: instrument },
        tracer: {
          startSpan(...items) {
            note(...items)
            return { end: note }
          },
        },
      })
      await prepare(keyvault, name)
      for (const [what, work] of Object.entries(failing(keyvault, name)))
        await failureOf(work, what)
      const text = JSON.stringify(seen)
      ok(text.includes('operation_failed'), 'nothing was logged')
      ok(!text.includes(marker), `it shows: ...${text.slice(text.indexOf(marker) - 200)}`)
    },
  },
]
