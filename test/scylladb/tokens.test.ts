import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Reading, read } from '../../src/scylladb/index.ts'
import { Requests } from '../../src/scylladb/request.ts'

const insert = 'INSERT INTO t (a, b) VALUES (?, ?)'

describe('what a text says of itself', () => {
  test.each<[string, Reading['kind']]>([
    ['SELECT a FROM t', 'SELECT'],
    ['/* INSERT */ select a from t', 'SELECT'],
    ['-- DELETE\nSELECT a FROM t;', 'SELECT'],
    ['// DELETE\r SELECT a FROM t', 'SELECT'],
    [insert, 'INSERT'],
    ['UPDATE t SET a = 1 WHERE k = 1', 'UPDATE'],
    ['DELETE FROM t WHERE k = 1', 'DELETE'],
    ['TRUNCATE t', 'DDL'],
    ['CREATE TABLE t (k int PRIMARY KEY)', 'DDL'],
    ['ALTER TABLE t ADD a int', 'DDL'],
    ['DROP TABLE t', 'DDL'],
    ['GRANT ALL ON t TO a', 'OTHER'],
    ['"SELECT" a FROM t', 'OTHER'],
    ['SELECTED', 'OTHER'],
    ["'SELECT'", 'OTHER'],
  ])('%s is %s', (cql, kind) => {
    expect(read(cql)).toMatchObject({ kind, reads: kind === 'SELECT', problem: undefined })
  })

  test.each([
    '',
    ';',
    '/* */',
    'USE k',
    '/**/ use k',
    'BEGIN BATCH DELETE FROM t WHERE k = 1; APPLY BATCH',
    'SELECT a FROM t; DROP TABLE t',
    'SELECT a FROM t;; SELECT b FROM t',
    "SELECT 'a",
    "SELECT 'a''",
    'SELECT "a',
    'SELECT $$a',
    'SELECT /* a',
    'SELECT a -- b',
    'SELECT a // b',
    'SELECT a FROM t WHERE k = :"a',
    'SELECT a FROM t WHERE k = ? AND b = :b',
  ])('%s is not sent, and reads nothing', (cql) => {
    const { problem, reads } = read(cql)
    expect(problem).toBeTypeOf('string')
    expect(reads).toBe(false)
  })

  test.each<[string, string[]]>([
    [insert, ['?', '?']],
    [
      'SELECT a FROM t WHERE k = :a AND b = :A AND c = :"A b""c" AND d = :a_1',
      ['a', 'A', 'A b"c', 'a_1'],
    ],
    ['SELECT \'?\', $$ ? :a $$, "?" /* ? */ FROM t -- :a\n WHERE k = ?', ['?']],
    [
      "UPDATE t SET m = {'a': 1, 'b':true, 'c' :null}, u = {f:now(), g::v, h: :w} WHERE k = :k",
      ['v', 'w', 'k'],
    ],
    ["UPDATE t SET m = {:a:1, ('x'):b} WHERE k = :k", ['a', 'k']],
    [
      'UPDATE t SET s = {:a, :b}, l = [:c], p = (:d, {1: [:e]}) WHERE k = ?'.replace('?', ':k'),
      ['a', 'b', 'c', 'd', 'e', 'k'],
    ],
    ['SELECT a FROM t WHERE k IN :all LIMIT :n', ['all', 'n']],
  ])('%s has the markers %j', (cql, markers) => {
    expect(read(cql)).toMatchObject({ markers, problem: undefined })
  })

  test.each<[Reading['repeatable'], string]>([
    ['yes', 'SELECT now() FROM t'],
    ['yes', insert],
    ['yes', 'INSERT INTO ks.t (a) VALUES (?) USING TTL 5 AND TIMESTAMP 7'],
    ['yes', "INSERT INTO t JSON '{}'"],
    ['yes', 'INSERT INTO t (a, l) VALUES (1, [1, 2])'],
    ['yes', 'UPDATE t SET a = -1, b = ?, l = [1], s = s + {1}, m = m - {2} WHERE k = 1'],
    ['yes', "UPDATE t SET s += {1}, m = {'a': 1} + m WHERE (a, b) = (1, 2) AND c IN (1, -2)"],
    ['yes', 'DELETE a, b FROM t WHERE k IN (1, 2)'],
    ['yes', 'UPDATE t SET a = blobAsInt(0x01), b = toTimestamp(?) WHERE token(k) > token(?)'],
    ['unclear', 'INSERT INTO t (a) VALUES (now())'],
    ['unclear', 'INSERT INTO t (a) VALUES (ks.f(1))'],
    ['unclear', 'INSERT INTO t (a) VALUES ("F" (1))'],
    ['unclear', 'UPDATE t SET a = uuid() WHERE k = 1'],
    ['unclear', 'UPDATE t SET l[0] = ? WHERE k = 1'],
    ['unclear', 'DELETE l[0] FROM t WHERE k = 1'],
    ['unclear', 'CREATE TABLE IF NOT EXISTS t (k int PRIMARY KEY)'],
    ['unclear', 'TRUNCATE t'],
    ['no', 'INSERT INTO t (a) VALUES (1) IF NOT EXISTS'],
    ['no', 'UPDATE t SET a = 1 WHERE k = 1 IF a = 2'],
    ['no', 'DELETE FROM t WHERE k = 1 if exists'],
    ['no', 'UPDATE t SET c = c + 1 WHERE k = 1'],
    ['no', 'UPDATE t SET c = c - ? WHERE k = 1'],
    ['no', 'UPDATE t SET c += ? WHERE k = 1'],
    ['no', 'UPDATE t SET c = c+1, a = now() WHERE k = 1'],
    ['no', 'UPDATE t SET l = l + [1] WHERE k = 1'],
    ['no', 'UPDATE t SET l = [1] + l WHERE k = 1'],
    ['no', 'UPDATE t SET "l" = "l" + :more WHERE k = 1'],
    ['no', 'UPDATE t SET s = s + {1}, c = c /* */ + -1 WHERE k = 1'],
  ])('may it be repeated: %s: %s', (repeatable, cql) => {
    expect(read(cql)).toMatchObject({ repeatable, problem: undefined })
  })

  test('whatever the text, it is read, and only what begins with SELECT reads', () => {
    const piece = fc.constantFrom(
      ...[
        "'",
        '"',
        '$$',
        '/*',
        '*/',
        '--',
        '//',
        '\n',
        ';',
        '?',
        ':a',
        '{',
        '}',
        '[',
        ']',
        '(',
        ')',
      ],
      ...['SELECT', 'DELETE', ' ', 'a', '1', '+', '=', ',', 'SET', 'IF', 'USE'],
    )
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 20 }).map((pieces) => pieces.join('')),
        (cql) => {
          const reading = read(cql)
          if (!reading.reads) return
          const bare = cql.replaceAll(/\/\*[\s\S]*?\*\/|(--|\/\/).*?[\n\r]/g, ' ').trim()
          expect(bare.toUpperCase().startsWith('SELECT')).toBe(true)
        },
      ),
      { numRuns: 2000 },
    )
  })

  test('a text in quotes can hold anything, and nothing in it is a marker or an end', () => {
    fc.assert(
      fc.property(fc.string(), fc.constantFrom("'", '"'), (text, quote) => {
        const inQuotes = `${quote}${text.replaceAll(quote, quote + quote)}${quote}`
        const { markers, problem } = read(`SELECT ${inQuotes} FROM t WHERE k = ?`)
        expect([markers, problem]).toEqual([['?'], undefined])
      }),
    )
  })
})

describe('where a time to live is put in', () => {
  const requests = new Requests({ consistency: 'ONE', serialConsistency: undefined })
  const withTtl = (cql: string, parameters: readonly string[] | Record<string, string>) => {
    const { request } = requests.statement(cql, parameters, { ttlSeconds: 9 }, 1, undefined)
    return [request.cql, request.parameters]
  }

  test.each<[string, string[], string, unknown[]]>([
    [insert, ['a', 'b'], `${insert} USING TTL ? `, ['a', 'b', 9]],
    [`${insert} ; -- x\n`, ['a', 'b'], `${insert} USING TTL ?  ; -- x\n`, ['a', 'b', 9]],
    [
      'INSERT INTO t (a) VALUES (?) IF NOT EXISTS USING TIMESTAMP 5',
      ['a'],
      'INSERT INTO t (a) VALUES (?) IF NOT EXISTS USING TIMESTAMP 5 AND TTL ? ',
      ['a', 9],
    ],
    [
      'UPDATE t SET a = ? WHERE k = ?',
      ['a', 'b'],
      'UPDATE t USING TTL ? SET a = ? WHERE k = ?',
      [9, 'a', 'b'],
    ],
    [
      'UPDATE t USING TIMESTAMP ?/**/SET a = ? WHERE k = 1',
      ['5', 'a'],
      'UPDATE t USING TIMESTAMP ?/**/ AND TTL ? SET a = ? WHERE k = 1',
      ['5', 9, 'a'],
    ],
  ])('%s', (cql, given, text, parameters) => {
    expect(withTtl(cql, given)).toEqual([text, parameters])
  })

  test('beside names it has a name, too', () => {
    expect(withTtl('UPDATE t SET a = :a WHERE k = :k', { k: 'k', a: 'a' })).toEqual([
      'UPDATE t USING TTL :dualport_ttl SET a = :a WHERE k = :k',
      [9, 'a', 'k'],
    ])
  })
})
