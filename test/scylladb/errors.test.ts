import { describe, expect, test } from 'vitest'
import { explain } from '../../adapters/scylladb/cassandra-driver/failures.ts'
import { type CqlErrorLike, classifyCqlError } from '../../src/scylladb/index.ts'

const acks = { received: 1, blockFor: 2 }
const replicas = { alive: 1, required: 2 }

describe('what a server answers', () => {
  test.each<[string, Partial<CqlErrorLike> & { code: number }, string, object]>([
    ['a bug', { code: 0x0000 }, 'UPDATE', { kind: 'internal' }],
    ['the protocol', { code: 0x000a }, 'UPDATE', { kind: 'invalid', outcome: 'not-applied' }],
    [
      'credentials',
      { code: 0x0100 },
      'UPDATE',
      { kind: 'unauthenticated', outcome: 'not-applied' },
    ],
    [
      'too few replicas',
      { code: 0x1000, ...replicas },
      'UPDATE',
      { kind: 'unavailable', outcome: 'not-applied' },
    ],
    [
      'too few for a condition',
      { code: 0x1000, ...replicas },
      'UPDATE IF',
      { kind: 'unavailable', outcome: 'unknown' },
    ],
    [
      'too few for counters',
      { code: 0x1000, ...replicas },
      'COUNTER BATCH',
      { kind: 'unavailable', outcome: 'unknown' },
    ],
    ['load', { code: 0x1001 }, 'UPDATE', { kind: 'throttled', outcome: 'unknown' }],
    ['a start', { code: 0x1002 }, 'UPDATE', { kind: 'unavailable', outcome: 'not-applied' }],
    ['a truncation', { code: 0x1003 }, 'DDL', { kind: 'unavailable', outcome: 'unknown' }],
    [
      'a slow write',
      { code: 0x1100, ...acks, writeType: 'SIMPLE' },
      'UPDATE',
      { kind: 'timeout', outcome: 'unknown' },
    ],
    ['a slow read', { code: 0x1200, ...acks }, 'SELECT', { kind: 'timeout' }],
    ['a failed read', { code: 0x1300, ...acks }, 'SELECT', { kind: 'internal' }],
    ['a function', { code: 0x1400 }, 'SELECT', { kind: 'invalid', outcome: 'not-applied' }],
    [
      'a failed write',
      { code: 0x1500, ...acks },
      'UPDATE',
      { kind: 'internal', outcome: 'unknown' },
    ],
    ['CDC', { code: 0x1600, ...acks }, 'UPDATE', { kind: 'internal', outcome: 'unknown' }],
    [
      'a condition that nobody knows of',
      { code: 0x1700 },
      'UPDATE IF',
      { kind: 'timeout', outcome: 'unknown' },
    ],
    ['syntax', { code: 0x2000 }, 'OTHER', { kind: 'invalid', outcome: 'not-applied' }],
    ['permission', { code: 0x2100 }, 'SELECT', { kind: 'forbidden', outcome: 'not-applied' }],
    ['anything else', { code: 0x2200 }, 'SELECT', { kind: 'invalid', outcome: 'not-applied' }],
    ['configuration', { code: 0x2300 }, 'DDL', { kind: 'invalid', outcome: 'not-applied' }],
    ['what is there', { code: 0x2400 }, 'DDL', { kind: 'conflict', outcome: 'not-applied' }],
    [
      'a statement that is forgotten',
      { code: 0x2500 },
      'SELECT',
      { kind: 'unavailable', outcome: 'not-applied' },
    ],
    ['a number that is new', { code: 0x7777 }, 'UPDATE', { kind: 'internal' }],
  ])('%s', (_, error, operation, expected) => {
    expect(classifyCqlError(error, operation)).toMatchObject(expected)
  })

  test.each([
    ['unconfigured table users', 'not-found'],
    ['table users does not exist', 'not-found'],
    ["Keyspace 'app' does not exist", 'not-found'],
    ['Unknown type app.place', 'not-found'],
    ['Undefined column name secret in table app.users', 'invalid'],
    ['Batch too large', 'invalid'],
    ['Invalid unset value for column id', 'invalid'],
  ])('%s', (message, kind) => {
    const failure = classifyCqlError({ code: 0x2200, message }, 'SELECT')
    expect(failure).toMatchObject({ kind, outcome: 'not-applied' })
    expect(failure.detail).not.toMatch(/users|app|secret|place/)
  })

  test('of a write that took too long, the type says what may have become of it', () => {
    const detail = (writeType: string) =>
      classifyCqlError({ code: 0x1100, ...acks, writeType }, 'BATCH').detail
    expect(detail('BATCH')).toContain('in the log, from which it will be applied')
    expect(detail('BATCH_LOG')).toContain('was not logged')
    expect(detail('UNLOGGED_BATCH')).toContain('some statements')
    expect(detail('CAS')).toContain('condition')
    expect(detail('COUNTER')).toBe(detail('SIMPLE'))
    expect(detail('SIMPLE')).toContain('1 replicas answered of the 2')
  })
})

describe('what the library rejects with', () => {
  const socket = Object.assign(new Error('Socket was closed'), { isSocketError: true })
  const refused = Object.assign(new Error('connect'), { code: 'ECONNREFUSED' })

  test.each<[string, object, object]>([
    ['a lost connection', socket, { kind: 'unavailable', detail: 'the connection was lost' }],
    [
      'what had not been written',
      { ...socket, requestNotWritten: true },
      { kind: 'unavailable', outcome: 'not-applied' },
    ],
    [
      'no host',
      { innerErrors: { '127.0.0.1:9042': 'Host considered as DOWN' } },
      { kind: 'unavailable', outcome: 'not-applied', detail: 'no host of the data centre is up' },
    ],
    [
      'no host that takes connections',
      { innerErrors: { '127.0.0.1:9042': refused } },
      {
        kind: 'unavailable',
        outcome: 'not-applied',
        detail: 'the connection failed (ECONNREFUSED)',
      },
    ],
    [
      'hosts that refuse the credentials, among others that are gone',
      { innerErrors: { a: refused, b: { code: 0x0100 }, c: refused } },
      { kind: 'unauthenticated', outcome: 'not-applied' },
    ],
    ['a missing library', { code: 'ERR_MODULE_NOT_FOUND' }, { kind: 'config' }],
    ['a certificate', { code: 'SELF_SIGNED_CERT_IN_CHAIN' }, { kind: 'config' }],
  ])('%s', (_, error, expected) => {
    expect(explain(error, 'UPDATE')).toMatchObject(expected)
  })
})
