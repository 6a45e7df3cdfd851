import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Dialect } from '../../src/sql/index.ts'
import { read } from '../../src/sql/tokens.ts'

const dialects: readonly Dialect[] = ['sqlserver', 'mysql', 'sqlite']
const reads = (text: string, dialect: Dialect = 'sqlserver') => read(text, dialect).reads

/** What a token that only reads must not run, however it is written. */
describe('T-SQL that does not only read', () => {
  test.each([
    // Into a table.
    'select * into copy from people',
    'select 1into copy',
    'select 1.5into copy',
    'select .5into copy',
    'select 1e5into copy',
    'select 1einto copy',
    'select 0xAinto copy',
    'select $into copy',
    'select $1into copy',
    'select $1.5into copy',
    "select 'a'into copy",
    'select [a]into copy from people',
    'select "a"into copy from people',
    'select a/**/into/**/copy from people',
    'select a -- into\ninto copy from people',
    'select a /* /* */ */ into copy from people',
    // Another statement, without a semicolon.
    'select 1 exec sp_who',
    'select 1exec sp_who',
    'select 1eexec sp_who',
    'select 1.exec sp_who',
    'select 1 execute(@p1)',
    'select 1;exec sp_who',
    'select 1 delete people',
    'select 1 delete from [people]',
    'select 1 insert people values (1)',
    'select 1 insert (people) values (1)',
    'select 1 update people set a = 1',
    'select 1 merge people using a on 1 = 1 when matched then delete;',
    'select 1 truncate table people',
    'select 1 drop table people',
    'select 1 create table a (b int)',
    'select 1 alter table a add b int',
    'select 1 grant select on a to b',
    'select 1 declare @a int',
    'select 1 set nocount on',
    "select 1 waitfor delay '00:10:00'",
    'select 1 dbcc dropcleanbuffers',
    'select 1 kill 51',
    'select 1 shutdown',
    'select 1 backup database a to disk = @p1',
    'select 1 begin tran',
    'select 1 commit',
    'select 1 use master',
    "select 1 print 'a'",
    'select 1 if 1 = 1 delete people',
    'select 1 while 1 = 1 select 1',
    'select 1 disable trigger t on people',
    'select 1 end conversation @p1',
    'select 1 receive * from q',
    'select 1 open c',
    'select 1 close c',
    'select 1 deallocate c',
    'select 1 revert',
    // In what begins as a reading statement.
    'with a as (select * from people) delete from a',
    'with a as (select 1 as b) update a set b = 2',
    'select * from (delete from people output deleted.id) as a',
    'select next value for s',
    // Elsewhere.
    "select * from openrowset('SQLNCLI', @p1, 'delete from people')",
    "select * from openquery(other, 'delete from people')",
    "select * from opendatasource('SQLNCLI', @p1).a.b.c",
    // Locks as a write does.
    'select * from people with (tablockx)',
    'select * from people with (xlock, rowlock)',
    'select * from people with (updlock)',
    // A name at the beginning of a batch is a procedure.
    'show 1',
    'describe people',
    'explain select 1',
    'values 1',
    'ſelect 1',
    'ｓｅｌｅｃｔ 1',
    'sp_who',
    // What somebody may take for a word, for a space or for the end of a line.
    'select * ｉｎｔｏ copy from people',
    'select * \u0131nto copy from people',
    'select * in\u200bto copy from people',
    'select * in\u00adto copy from people',
    'select 1\u200bdelete people',
    'select 1\u00a0delete people',
    'select 1\u3000delete people',
    'select 1\u0085delete people',
    'select 1 --\rdelete people',
    'select 1 --\u2028delete people',
    'select 1 --\u0085delete people\n',
  ])('%s', (text) => {
    expect(reads(text)).toBe(false)
  })

  test('by a word in any case, after anything that ends a token', () => {
    const ends = fc.constantFrom(
      ' ',
      '\t',
      '\n',
      '\r\n',
      '\f',
      '/**/',
      '--\n',
      '\u00a0',
      ')',
      "'a'",
      '[a]',
    )
    const word = fc.constantFrom('delete', 'exec', 'into', 'drop', 'waitfor', 'bulk', 'openrowset')
    const mixed = fc
      .tuple(word, fc.nat())
      .map(([word, bits]) =>
        [...word].map((c, i) => ((bits >> i) & 1 ? c.toUpperCase() : c)).join(''),
      )
    fc.assert(
      fc.property(ends, mixed, ends, (before, word, after) => {
        expect(reads(`select (1${before}${word}${after} a`)).toBe(false)
      }),
    )
  })
})

test.each([
  'select a, b as [into], "delete", \'exec\' from [drop] where c = @p1 -- update',
  'select count(*) from dbo.people as p inner join x on x.a = p.a order by 1 offset 5 rows fetch next 5 rows only',
  "select replace(a, 'b', 'c'), left(a, 2), isnull(b, 0) from people with (nolock)",
  'with a as (select 1 as b union all select b + 1 from a where b < 9) select * from a option (maxrecursion 9)',
  'select имя, größe, 名前 from люди where größe > 1.5e3 and x = 0xFF and m = $1.50',
  "select case when a = 1 then 'x' else 'y' end as inserted_at, updated, deleted_by from people for json path",
  'select 1; -- and no more\r\n',
  'select * from openjson(@p1) with (a int)',
])('T-SQL that only reads: %s', (text) => {
  expect(reads(text)).toBe(true)
})

describe('MySQL that does not only read', () => {
  test.each([
    "select a#'\ninto outfile '/tmp/x' -- '",
    "select 1 --\u00a0into outfile '/tmp/x'",
    "select 1.into outfile '/tmp/x'",
    "select 1e0into outfile '/tmp/x'",
    "select 'a\\' into outfile ' from people",
    'select "a\\" into outfile " from people',
    'select 1 into @a',
    'select * from people for update',
    'table people into outfile "/tmp/x"',
    "select load_file('/etc/passwd')",
    "select get_lock('a', 10)",
    "select release_lock ('a')",
    'select setval(s, 1)',
    'select /*!50000 1 into outfile "/tmp/x" */ 1',
    'select /*M!100000 1 into outfile "/tmp/x" */ 1',
  ])('%s', (text) => {
    expect(reads(text, 'mysql')).toBe(false)
  })

  test("a name that is 'show' to one server is a procedure to another", () => {
    expect(dialects.map((dialect) => reads('show tables', dialect))).toEqual([false, true, false])
  })
})
