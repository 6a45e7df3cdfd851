import { readFile } from 'node:fs/promises'
import { inspect } from 'node:util'
import { expect, test } from 'vitest'
import { errorsPage } from '../../scripts/docs.ts'
import { InfraError, isInfraError } from '../../src/core/index.ts'
import { errorCodes } from '../../src/errors.ts'

const secret = 'correct-horse-battery'
const init = { component: 'redis', adapter: 'test', operation: 'get' } as const

test('an error printed as a whole shows neither its items’ values nor the native error', () => {
  const error = new InfraError({
    ...init,
    kind: 'invalid',
    outcome: 'partial',
    native: new Error(secret),
    items: [{ status: 'fulfilled', value: secret }],
  })
  expect(error.items).toHaveLength(1)
  expect((error.native as Error).message).toBe(secret)
  for (const shown of [
    inspect(error, { depth: 9 }),
    JSON.stringify(error),
    String(error),
    error.stack,
  ]) {
    expect(shown).not.toContain(secret)
  }
})

test('the message names component and operation, and says what a write left behind', () => {
  const message = (outcome: 'not-applied' | 'partial' | 'unknown') =>
    new InfraError({ ...init, kind: 'unavailable', outcome }).message
  expect(message('not-applied')).toBe('redis get: unavailable')
  expect(message('partial')).toBe('redis get: unavailable; it was applied in part')
  expect(message('unknown')).toBe('redis get: unavailable; it may have been applied')
})

test('errors of another copy of the library are recognised', async () => {
  // A query makes it another module: another class, the same marker.
  const other: typeof import('../../src/core/errors.ts') = await import(
    '../../src/core/errors.ts?copy' as string
  )
  const error = new other.InfraError({ ...init, kind: 'timeout' })
  expect(error).not.toBeInstanceOf(InfraError)
  expect(isInfraError(error)).toBe(true)
  expect(isInfraError(error, 'timeout')).toBe(true)
  expect(isInfraError(error, 'closed')).toBe(false)
})

test.each([
  undefined,
  null,
  'text',
  {},
  new Error('x'),
  { kind: 'timeout' },
])('%s is no InfraError', (value) => {
  expect(isInfraError(value)).toBe(false)
})

test('every code has a description and a remedy, and the page shows them all', async () => {
  for (const [code, { component, kind, description, remedy }] of Object.entries(errorCodes)) {
    expect(new InfraError({ ...init, component, kind }).code).toBe(code)
    expect(description).toMatch(/^[A-Z].*\.$/)
    expect(remedy).toMatch(/^[A-Z].*\.$/)
  }
  const page = await readFile(new URL('../../docs/errors.md', import.meta.url), 'utf8')
  expect(page, 'run: node scripts/docs.ts').toBe(errorsPage())
})
