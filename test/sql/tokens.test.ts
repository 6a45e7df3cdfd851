import { DatabaseSync } from 'node:sqlite'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Dialect } from '../../src/sql/index.ts'
import { read, tokensOf, valueMark } from '../../src/sql/tokens.ts'
import { pieces } from './texts.ts'

const dialects: Dialect[] = ['mysql', 'sqlserver', 'sqlite']

const types = (text: string, dialect: Dialect) =>
  Array.from(tokensOf(text, dialect), ({ type, text }) => [type, text])

describe('tokens', () => {
  test.each<[Dialect, string, [string, string][]]>([
    ['mysql', "'a\\'b''c'", [['string', "'a\\'b''c'"]]],
    [
      'sqlite',
      "'a\\'b",
      [
        ['string', "'a\\'"],
        ['word', 'B'],
      ],
    ],
    [
      'sqlserver',
      "'a\\'b",
      [
        ['string', "'a\\'"],
        ['word', 'B'],
      ],
    ],
    ['mysql', '"a"', [['string', '"a"']]],
    ['sqlserver', '"a""b"', [['name', '"a""b"']]],
    ['mysql', '`a``b`', [['name', '`a``b`']]],
    ['sqlserver', '[a]]b]', [['name', '[a]]b]']]],
    [
      'mysql',
      '[a',
      [
        ['symbol', '['],
        ['word', 'A'],
      ],
    ],
    [
      'mysql',
      'a--b',
      [
        ['word', 'A'],
        ['symbol', '-'],
        ['symbol', '-'],
        ['word', 'B'],
      ],
    ],
    [
      'mysql',
      'a-- b\nc',
      [
        ['word', 'A'],
        ['comment', '-- b\n'],
        ['word', 'C'],
      ],
    ],
    [
      'mysql',
      'a#b\nc',
      [
        ['word', 'A'],
        ['comment', '#b\n'],
        ['word', 'C'],
      ],
    ],
    [
      'sqlserver',
      'a--b',
      [
        ['word', 'A'],
        ['comment', '--b'],
      ],
    ],
    ['sqlserver', '#b', [['word', '#B']]],
    [
      'sqlserver',
      '/*/**/*/a',
      [
        ['comment', '/*/**/*/'],
        ['word', 'A'],
      ],
    ],
    [
      'mysql',
      '/*/**/a',
      [
        ['comment', '/*/**/'],
        ['word', 'A'],
      ],
    ],
    ['mysql', '/*!50000 a*/', [['unclear', '/*!50000 a*/']]],
    ['mysql', '/*M! a*/', [['unclear', '/*M! a*/']]],
    ['sqlserver', "'a", [['unclear', "'a"]]],
    ['sqlite', '/* a', [['unclear', '/* a']]],
    ['sqlserver', '-- a\rb', [['unclear', '-- a\rb']]],
    [
      'sqlserver',
      '-- a\r\nb',
      [
        ['comment', '-- a\r\n'],
        ['word', 'B'],
      ],
    ],
    [
      'sqlserver',
      '@p1 @P2 @p @p1x @@x',
      [
        ...['@p1', '@P2'].map((text): [string, string] => ['placeholder', text]),
        ...['@P', '@P1X', '@@X'].map((text): [string, string] => ['word', text]),
      ],
    ],
    [
      'mysql',
      '? @a',
      [
        ['placeholder', '?'],
        ['word', '@A'],
      ],
    ],
    ['sqlite', '? ?1 :a @b $c', ['?', '?1', ':a', '@b', '$c'].map((text) => ['placeholder', text])],
    [
      'mysql',
      '1.5into',
      [
        ['number', '1.5'],
        ['word', 'INTO'],
      ],
    ],
    ['mysql', 'ſelect', [['word', 'ſelect']]],
  ])('%s reads %j', (dialect, text, expected) => {
    expect(types(text, dialect)).toEqual(expected)
  })

  test('every character is in one token or is a space, whatever the text is', () => {
    fc.assert(
      fc.property(fc.constantFrom(...dialects), pieces, (dialect, text) => {
        const tokens = [...tokensOf(text, dialect)]
        let at = 0
        for (const token of tokens) {
          expect(text.slice(at, token.at)).toMatch(/^\s*$/)
          at = token.at + token.text.length
        }
        expect(text.slice(at)).toMatch(/^\s*$/)
      }),
    )
  })

  test('SQLite finds the same placeholders', () => {
    const database = new DatabaseSync(':memory:')
    let prepared = 0
    fc.assert(
      fc.property(pieces, (piece) => {
        // Of several statements it looks at the first.
        if (piece.includes(';')) return
        const text = `select 1 as a ${piece}`
        const { placeholders, problem } = read(text, 'sqlite')
        const anonymous = placeholders.filter((name) => name.startsWith('?#'))
        if (anonymous.length < placeholders.length) return
        try {
          const statement = database.prepare(text)
          prepared++
          // A comment may end with the text.
          expect(problem === undefined || piece.includes('/*') || piece.includes('\r')).toBe(true)
          if (problem === undefined) {
            const values = placeholders.map(() => 1)
            statement.all(...values)
            expect(() => statement.all(...values, 1)).toThrow('column index out of range')
          }
        } catch (error) {
          if ((error as { code?: unknown }).code !== 'ERR_SQLITE_ERROR') throw error
        }
      }),
      { numRuns: 20_000 },
    )
    expect(prepared).toBeGreaterThan(500)
    database.close()
  })
})

describe('reading', () => {
  test.each<[string, string, Dialect[]]>([
    ['select 1', 'SELECT', dialects],
    ['  -- a comment\n SeLeCt 1', 'SELECT', dialects],
    ['/* select */ delete from t', 'DELETE', dialects],
    ['with a as (select 1) select * from a', 'SELECT', dialects],
    ['with a as (select 1) insert into t select * from a', 'INSERT', dialects],
    ['with a as (select 1) update t set x = 1', 'UPDATE', dialects],
    ['merge into t', 'MERGE', ['sqlserver']],
    ['replace into t values (1)', 'REPLACE', ['mysql', 'sqlite']],
    ['exec a', 'CALL', ['sqlserver']],
    ['call a()', 'CALL', ['mysql']],
    ['truncate table t', 'DDL', ['mysql', 'sqlserver']],
    ['create table t (a int)', 'DDL', dialects],
    ['show tables', 'OTHER', ['mysql']],
    ['', 'OTHER', dialects],
    ['(select 1)', 'OTHER', dialects],
  ])('%s is %s', (text, kind, all) => {
    for (const dialect of all) expect(read(text, dialect).kind).toBe(kind)
  })

  test.each<[string, Dialect[]]>([
    ['select 1', dialects],
    ['select 1;', dialects],
    ['with a as (select 1) select * from a', dialects],
    ['select \'delete from t\', "update" from t -- insert', dialects],
    ["select replace(a, 'b', 'c'), insert (a, 1, 2, 'x') from t", ['mysql']],
    ['show tables', ['mysql']],
    ['explain select 1', ['mysql', 'sqlite']],
    ['select [update] from t', ['sqlserver', 'sqlite']],
    ['select `update` from t', ['mysql', 'sqlite']],
  ])('%s only reads', (text, all) => {
    for (const dialect of all) expect(read(text, dialect).reads).toBe(true)
  })

  test.each<[string, Dialect[]]>([
    ['delete from t', dialects],
    ['select 1; delete from t', dialects],
    ['with a as (select 1) delete from t', dialects],
    ["select 1 into outfile '/tmp/x'", ['mysql']],
    ['select * into b from a', ['sqlserver']],
    ['select @a := 1', ['mysql']],
    ['select nextval(s)', ['mysql']],
    ['select next value for s', ['mysql', 'sqlserver']],
    ['explain analyze update t set a = 1', ['mysql']],
    ['select 1 delete from t', ['sqlserver']],
    ['select 1 exec a', ['sqlserver']],
    ['select 1 declare @a int', ['sqlserver']],
    ["select 1 from openrowset('a')", ['sqlserver']],
    ['select /*! 1 into outfile "x" */ 1', ['mysql']],
    ["select '", dialects],
    ['select 1 --\rdelete from t', ['sqlserver', 'sqlite']],
    ['select 1 #\rdelete from t', ['mysql']],
    ['call a()', ['mysql']],
    ['pragma user_version = 1', ['sqlite']],
    ['', dialects],
  ])('%s may write', (text, all) => {
    for (const dialect of all) expect(read(text, dialect).reads).toBe(false)
  })

  test.each<[Dialect, string, boolean]>([
    ['mysql', 'set @a = 1', true],
    ['mysql', 'update t set a = 1', false],
    ['sqlserver', 'begin tran', true],
    ['sqlserver', 'begin transaction; update t set a = 1; commit', false],
    ['sqlserver', 'begin try select 1 end try begin catch end catch', false],
    ['sqlserver', 'set nocount on; select 1', false],
    ['sqlite', 'pragma foreign_keys = off', true],
    ['sqlite', 'select 1', false],
  ])('%s: %s is of the session: %s', (dialect, text, session) => {
    expect(read(text, dialect).session).toBe(session)
  })

  test.each<[Dialect, string, boolean]>([
    ['mysql', 'create table t (a int)', true],
    ['mysql', 'truncate t', true],
    ['mysql', 'create temporary table t (a int)', false],
    ['mysql', 'insert into t values (1)', false],
    ['sqlserver', 'create table t (a int)', false],
    ['sqlite', 'drop table t', false],
  ])('%s: %s commits: %s', (dialect, text, commits) => {
    expect(read(text, dialect).commits).toBe(commits)
  })

  test('a value inside of quotes or a comment is a problem, elsewhere it is one value', () => {
    for (const dialect of dialects) {
      for (const [before, after] of [
        ["'", "'"],
        ['"', '"'],
        ['/*', '*/'],
        ['-- ', '\n'],
      ] as const) {
        const inside = read(`select ${before}${valueMark}${after}`, dialect)
        expect(inside.problem).toMatch(/inside of quotes or a comment/)
        expect(inside.values).toBe(0)
      }
      expect(read(`select ${valueMark}`, dialect)).toMatchObject({ values: 1, problem: undefined })
    }
  })
})
