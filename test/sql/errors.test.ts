import { describe, expect, test } from 'vitest'
import type { Failure } from '../../src/core/index.ts'
import { classifyMysql, classifySqlite, classifySqlServer } from '../../src/sql/index.ts'

const mysql = (errno: number, message = '') => classifyMysql({ errno, message })
const sqlserver = (number: number, message = '') => classifySqlServer({ number, message })
const sqlite = (errcode: number, message = '') => classifySqlite({ errcode, message })

const what: Readonly<Record<string, readonly [Failure, ...Failure[]]>> = {
  'a unique key': [mysql(1062), sqlserver(2627), sqlserver(2601), sqlite(2067), sqlite(1555)],
  'a foreign key': [mysql(1452), mysql(1451), sqlserver(547), sqlite(787)],
  'a check': [
    mysql(3819),
    mysql(4025),
    sqlserver(547, 'The INSERT statement conflicted with the CHECK constraint "c".'),
    sqlite(275),
  ],
  'a null': [mysql(1048), mysql(1364), sqlserver(515), sqlite(1299)],
  'a deadlock': [mysql(1213), sqlserver(1205)],
  'a lock': [mysql(1205), sqlserver(1222), sqlite(5), sqlite(6)],
  syntax: [mysql(1064), sqlserver(102), sqlite(1, 'near "x": syntax error')],
  'no table': [mysql(1146), sqlserver(208), sqlite(1, 'no such table: x')],
  'no column': [
    mysql(1054),
    sqlserver(207),
    sqlite(1, 'no such column: x'),
    sqlite(1, 'table t has no column named x'),
  ],
  'no procedure': [mysql(1305), sqlserver(2812)],
  'there already': [mysql(1050), sqlserver(2714), sqlite(1, 'table t already exists')],
  'a value': [mysql(1406), mysql(1264), sqlserver(2628), sqlserver(8152), sqlserver(8115)],
  'no login': [mysql(1045), sqlserver(18_456)],
  'no permission': [mysql(1142), sqlserver(229)],
  'no database': [mysql(1049), sqlserver(4060)],
  'read only': [mysql(1290), sqlserver(3906), sqlite(8)],
  'too many': [mysql(1040), sqlserver(10_928), sqlite(13)],
}

const expected: Readonly<Record<string, Failure>> = {
  'a unique key': { kind: 'conflict', outcome: 'not-applied' },
  'a foreign key': { kind: 'conflict', outcome: 'not-applied' },
  'a check': { kind: 'invalid', outcome: 'not-applied' },
  'a null': { kind: 'invalid', outcome: 'not-applied' },
  'a deadlock': { kind: 'conflict', outcome: 'not-applied', retryable: true },
  'a lock': { kind: 'timeout', outcome: 'not-applied', retryable: true },
  syntax: { kind: 'invalid', outcome: 'not-applied' },
  'no table': { kind: 'not-found', outcome: 'not-applied' },
  'no column': { kind: 'not-found', outcome: 'not-applied' },
  'no procedure': { kind: 'not-found', outcome: 'not-applied' },
  'there already': { kind: 'conflict', outcome: 'not-applied' },
  'a value': { kind: 'invalid', outcome: 'not-applied' },
  'no login': { kind: 'unauthenticated', outcome: 'not-applied' },
  'no permission': { kind: 'forbidden', outcome: 'not-applied' },
  'no database': { kind: 'not-found', outcome: 'not-applied' },
  'read only': { kind: 'unavailable', outcome: 'not-applied' },
  'too many': { kind: 'throttled', outcome: 'not-applied' },
}

describe('the numbers of the servers', () => {
  test.each(Object.keys(what))('%s is the same on every one, with the same words', (name) => {
    const [first, ...others] = what[name]!
    for (const failure of [first, ...others]) {
      expect(failure).toMatchObject(expected[name]!)
      // A name may follow.
      expect(failure.detail?.split(':', 1)).toEqual(first.detail?.split(':', 1))
      if (expected[name]!.retryable !== true) expect(failure.retryable).not.toBe(true)
    }
  })

  test.each([
    mysql(1),
    sqlserver(999_999),
    sqlserver(50_000),
    sqlite(999),
  ])('one that nobody knows is a refusal', (failure) => {
    expect(failure).toMatchObject({ kind: 'invalid', outcome: 'not-applied' })
  })

  test.each<[Failure, string]>([
    [mysql(1062, "Duplicate entry 'secret' for key 'users.email'"), 'users.email'],
    [mysql(1062, "Duplicate entry 'a' for key 'x' for key 'users.email'"), 'users.email'],
    [
      sqlserver(
        2627,
        "Violation of UNIQUE KEY constraint 'UQ_mail'. The duplicate key value is (secret).",
      ),
      'UQ_mail',
    ],
    [
      sqlserver(
        2601,
        "Cannot insert duplicate key row in object 'dbo.t' with unique index 'IX_a'. The duplicate key value is (secret).",
      ),
      'IX_a',
    ],
    [sqlite(2067, 'UNIQUE constraint failed: users.email'), 'users.email'],
    [sqlite(1555, 'UNIQUE constraint failed: t.a, t.b'), 't.a, t.b'],
  ])('%o names the key and not the value', ({ detail }, key) => {
    expect(detail).toBe(`a unique key has the value already: ${key}`)
  })

  test.each([
    mysql(1062, "Duplicate entry 'x' for key 'a b secret'"),
    mysql(1064, "near 'secret' at line 1"),
    mysql(1366, "Incorrect integer value: 'secret' for column"),
    sqlserver(245, "Conversion failed when converting the varchar value 'secret' to int."),
    sqlserver(2628, "Truncated value: 'secret'."),
    sqlite(1, 'no such column: secret'),
    sqlite(1, 'near "secret": syntax error'),
    sqlite(2067, "index 'secret secret'"),
    sqlite(1, 'unrecognized token: "secret"'),
  ])('nothing that the server quotes is in %o', ({ detail }) => {
    expect(detail).not.toContain('secret')
  })
})
