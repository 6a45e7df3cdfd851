import { describe, expect, test } from 'vitest'
import type { Failure } from '../../src/core/index.ts'
import type { Transaction } from '../../src/sql/index.ts'
import { failing, hanging, scripted } from './scripted.ts'

const lost: Failure = { kind: 'unavailable' }
const deadlock: Failure = { kind: 'conflict', outcome: 'not-applied', retryable: true }
const refused: Failure = { kind: 'invalid', outcome: 'not-applied' }
const select = (transaction: Transaction) => transaction.query`select 1`

describe('the end of a transaction', () => {
  test('a commit that got no answer may have been applied, and is not sent again', async () => {
    const { sql, notes } = scripted({ commit: [failing(lost)] })
    await expect(sql.transaction(select, { retries: 5 })).rejects.toMatchObject({
      kind: 'unavailable',
      outcome: 'unknown',
      operation: 'COMMIT',
    })
    expect(notes).toEqual(['begin', 'run select 1', 'commit', 'rollback'])
  })

  test('a commit that nobody waited for may have been applied', async () => {
    const { sql, notes } = scripted({ commit: [hanging] })
    await expect(sql.transaction(select, { timeoutMs: 100 })).rejects.toMatchObject({
      kind: 'timeout',
      outcome: 'unknown',
    })
    expect(notes.at(-1)).toBe('rollback')
  })

  test('a commit that was refused is run again as a whole, if that is asked', async () => {
    const { sql, notes } = scripted({ commit: [failing(deadlock)] })
    await sql.transaction(select, { retries: 1 })
    const once = ['begin', 'run select 1', 'commit']
    expect(notes).toEqual([...once, 'rollback', ...once])
  })

  test('rollback is sent whatever has failed, and its own failure is nobody’s', async () => {
    const { sql, notes } = scripted({
      'run select 1': [failing(refused)],
      rollback: [failing(lost)],
    })
    await expect(sql.transaction(select)).rejects.toMatchObject({ kind: 'invalid' })
    expect(notes).toEqual(['begin', 'run select 1', 'rollback'])
  })

  test('rollback is sent when the whole is over', async () => {
    const { sql, notes } = scripted({ 'run select 1': [hanging] })
    await expect(sql.transaction(select, { timeoutMs: 50 })).rejects.toMatchObject({
      kind: 'timeout',
      outcome: 'not-applied',
    })
    expect(notes).toEqual(['begin', 'run select 1', 'rollback'])
  })

  test('one that has begun when nobody waits any more is rolled back, the work does not begin', async () => {
    for (let turns = 0; turns < 12; turns++) {
      const abort = new AbortController()
      const { sql, notes } = scripted()
      let begun = false
      const work = async () => {
        begun = true
        await new Promise(() => {})
      }
      const aborted = sql.transaction(work, { signal: abort.signal })
      const rejected = expect(aborted).rejects.toMatchObject({ kind: 'aborted' })
      for (let i = 0; i < turns; i++) await Promise.resolve()
      abort.abort()
      await rejected
      const expected = notes.length === 0 ? [] : ['begin', 'rollback']
      expect(notes, `after ${turns} turns`).toEqual(expected)
      if (notes.length === 0) expect(begun).toBe(false)
    }
  })
})

describe('a statement that fails', () => {
  test.each([
    'unavailable',
    'timeout',
    'aborted',
    'internal',
    'closed',
  ] as const)('with %s ends it: nothing more is sent but the rollback, though the work goes on', async (kind) => {
    const { sql, notes } = scripted({ 'run select 1': [failing({ kind })] })
    const work = async (transaction: Transaction) => {
      await expect(select(transaction)).rejects.toMatchObject({ kind })
      const closed = { kind: 'closed', outcome: 'not-applied' }
      await expect(transaction.query`select 2`).rejects.toMatchObject(closed)
      await expect(transaction.transaction(select)).rejects.toMatchObject(closed)
      await expect(transaction.stream`select 3`.next()).rejects.toMatchObject(closed)
      await expect(transaction.call('a')).rejects.toMatchObject(closed)
      await expect(transaction.bulkInsert('a', [{ a: 1 }])).rejects.toMatchObject(closed)
      return 'as if nothing had happened'
    }
    await expect(sql.transaction(work)).rejects.toMatchObject({ kind, outcome: 'not-applied' })
    expect(notes).toEqual(['begin', 'run select 1', 'rollback'])
  })

  test.each([
    'invalid',
    'conflict',
    'not-found',
    'forbidden',
    'unsupported',
  ] as const)('with %s and is caught does not end it', async (kind) => {
    const { sql, notes } = scripted({ 'run select 1': [failing({ kind })] })
    await sql.transaction(async (transaction) => {
      await expect(select(transaction)).rejects.toMatchObject({ kind })
      await transaction.query`select 2`
    })
    expect(notes).toEqual(['begin', 'run select 1', 'run select 2', 'commit'])
  })

  test('is not repeated by itself: what came before it may be undone', async () => {
    const { sql, notes } = scripted({ 'run select 1': [failing(lost)] })
    await expect(sql.transaction(select)).rejects.toMatchObject({ kind: 'unavailable' })
    expect(notes.filter((note) => note === 'run select 1')).toHaveLength(1)
  })

  test('outside of one it is repeated if it only reads', async () => {
    const { sql, notes } = scripted({
      'run select 1': [failing(lost)],
      'run delete from a': [failing(lost)],
    })
    await sql.query`select 1`
    await expect(sql.execute`delete from a`).rejects.toMatchObject({ outcome: 'unknown' })
    expect(notes).toEqual(['run select 1', 'run select 1', 'run delete from a'])
  })
})

describe('retries', () => {
  test('a deadlock is run again as a whole, as often as is asked', async () => {
    const { sql, notes } = scripted({ 'run select 1': [failing(deadlock), failing(deadlock)] })
    let runs = 0
    const work = async (transaction: Transaction) => {
      runs++
      await transaction.query`select 0`
      await select(transaction)
      return runs
    }
    expect(await sql.transaction(work, { retries: 2 })).toBe(3)
    expect(notes.filter((note) => note === 'begin')).toHaveLength(3)
    expect(notes.filter((note) => note === 'rollback')).toHaveLength(2)
    expect(notes.at(-1)).toBe('commit')
  })

  test('without retries it comes out, worth one', async () => {
    const { sql, notes } = scripted({ 'run select 1': [failing(deadlock)] })
    await expect(sql.transaction(select)).rejects.toMatchObject({
      kind: 'conflict',
      retryable: true,
      outcome: 'not-applied',
    })
    expect(notes.filter((note) => note === 'begin')).toHaveLength(1)
  })

  test('a deadlock that the work caught is not committed', async () => {
    const { sql, notes } = scripted({ 'run select 1': [failing(deadlock)] })
    const work = (transaction: Transaction) => select(transaction).catch(() => 'caught')
    await expect(sql.transaction(work)).rejects.toMatchObject({ kind: 'conflict' })
    expect(notes).not.toContain('commit')
  })

  test('what is not worth one is not run again', async () => {
    const { sql, notes } = scripted({ 'run select 1': [failing(refused)] })
    await expect(sql.transaction(select, { retries: 5 })).rejects.toMatchObject({ kind: 'invalid' })
    expect(notes.filter((note) => note === 'begin')).toHaveLength(1)
  })

  test('they end with the time of the whole', async () => {
    const { sql, notes } = scripted({ 'run select 1': Array(200).fill(failing(deadlock)) })
    const whole = sql.transaction(select, { retries: 100, timeoutMs: 200 })
    await expect(whole).rejects.toMatchObject({ kind: 'conflict' })
    expect(notes.filter((note) => note === 'begin').length).toBeLessThan(101)
  })
})

describe('savepoints', () => {
  test('each has a name of its own', async () => {
    const { sql, notes } = scripted()
    await sql.transaction(async (transaction) => {
      await transaction.transaction((inner) => inner.transaction(select))
      await transaction.transaction(select)
    })
    expect(notes.filter((note) => note.startsWith('savepoint'))).toEqual([
      'savepoint dualport_1',
      'savepoint dualport_2',
      'savepoint dualport_3',
    ])
    expect(notes.filter((note) => note.startsWith('release'))).toHaveLength(3)
  })

  test('what a part throws rolls back to it', async () => {
    const { sql, notes } = scripted()
    await sql.transaction(async (transaction) => {
      const part = transaction.transaction(async () => {
        throw new Error('of the part')
      })
      await expect(part).rejects.toThrow('of the part')
    })
    expect(notes).toEqual(['begin', 'savepoint dualport_1', 'rollbackTo dualport_1', 'commit'])
  })

  test('if that fails the whole is not committed', async () => {
    const { sql, notes } = scripted({ 'rollbackTo dualport_1': [failing(refused)] })
    const work = async (transaction: Transaction) => {
      const part = transaction.transaction(async () => {
        throw new Error('of the part')
      })
      await part.catch(() => {})
    }
    await expect(sql.transaction(work)).rejects.toMatchObject({ kind: 'invalid' })
    expect(notes).not.toContain('commit')
    expect(notes.at(-1)).toBe('rollback')
  })

  test('after a deadlock within a part nothing is rolled back to it', async () => {
    const { sql, notes } = scripted({ 'run select 1': [failing(deadlock)] })
    const work = (transaction: Transaction) => transaction.transaction(select)
    await expect(sql.transaction(work)).rejects.toMatchObject({ kind: 'conflict' })
    expect(notes).toEqual(['begin', 'savepoint dualport_1', 'run select 1', 'rollback'])
  })
})

describe('streams', () => {
  test('one that is left open is closed before the commit and before the rollback', async () => {
    for (const end of ['commit', 'rollback']) {
      const { sql, notes } = scripted()
      const work = async (transaction: Transaction) => {
        await transaction.stream`select 1`.next()
        if (end === 'rollback') throw new Error('of the work')
      }
      await sql.transaction(work).catch(() => {})
      expect(notes).toEqual(['begin', 'open select 1', 'close', end])
    }
  })

  test('one that comes when nobody waits any more is closed', async () => {
    for (let turns = 0; turns < 8; turns++) {
      const abort = new AbortController()
      const { sql, notes } = scripted()
      const stream = sql.stream(sql.fragment`select 1`, { signal: abort.signal })
      const first = stream.next().then(
        () => 'a row',
        () => 'aborted',
      )
      for (let i = 0; i < turns; i++) await Promise.resolve()
      abort.abort()
      const got = await first
      await stream.close()
      const opened = notes.includes('open select 1')
      expect(notes, `${got} after ${turns} turns`).toEqual(opened ? ['open select 1', 'close'] : [])
    }
  })

  test('a page that is lost ends it, and is not asked for again', async () => {
    const { sql, notes } = scripted({ next: [failing(lost)] })
    const stream = sql.stream`select 1`
    await stream.next()
    await expect(stream.next()).rejects.toMatchObject({
      kind: 'unavailable',
      outcome: 'not-applied',
      retryable: false,
    })
    expect(await stream.next()).toEqual({ done: true, value: undefined })
    expect(notes).toEqual(['open select 1', 'next'])
  })
})

describe('batch', () => {
  const both = ({ sql }: ReturnType<typeof scripted>) =>
    sql.batch([sql.fragment`select 1`, sql.fragment`delete from a`])

  test('is one transaction', async () => {
    const made = scripted()
    await both(made)
    expect(made.notes).toEqual(['begin', 'run select 1', 'run delete from a', 'commit'])
  })

  test('a statement that fails is named by its place, and nothing was applied', async () => {
    const made = scripted({ 'run delete from a': [failing(refused)] })
    await expect(both(made)).rejects.toMatchObject({
      kind: 'invalid',
      outcome: 'not-applied',
      message: expect.stringContaining('statement 2 of 2'),
    })
    expect(made.notes.at(-1)).toBe('rollback')
  })

  test('one that was lost before the commit is run again', async () => {
    const made = scripted({ 'run delete from a': [failing(lost)] })
    await both(made)
    const once = ['begin', 'run select 1', 'run delete from a']
    expect(made.notes).toEqual([...once, 'rollback', ...once, 'commit'])
  })

  test('one whose commit got no answer is not', async () => {
    const made = scripted({ commit: [failing(lost)] })
    await expect(both(made)).rejects.toMatchObject({ kind: 'unavailable', outcome: 'unknown' })
    expect(made.notes.filter((note) => note === 'commit')).toHaveLength(1)
  })

  test('one that nobody waits for is rolled back', async () => {
    const made = scripted({ 'run delete from a': [hanging] }, { timeoutMs: 50 })
    await expect(both(made)).rejects.toMatchObject({ kind: 'timeout', outcome: 'not-applied' })
    await expect.poll(() => made.notes.at(-1)).toBe('rollback')
  })
})

describe('bulkInsert', () => {
  const rows = (count: number) => Array.from({ length: count }, (_, a) => ({ a }))

  test('what fits into one part is no transaction of ours', async () => {
    const { sql, notes } = scripted()
    expect(await sql.bulkInsert('t', rows(10))).toBe(10)
    expect(notes).toEqual(['insert'])
  })

  test('more is one', async () => {
    const { sql, notes } = scripted()
    expect(await sql.bulkInsert('t', rows(25))).toBe(25)
    expect(notes).toEqual(['begin', 'insert', 'insert', 'insert', 'commit'])
  })

  test('a part that fails undoes the others', async () => {
    const { sql, notes } = scripted({ insert: [async () => 10, failing(refused)] })
    await expect(sql.bulkInsert('t', rows(25))).rejects.toMatchObject({ outcome: 'not-applied' })
    expect(notes).toEqual(['begin', 'insert', 'insert', 'rollback'])
  })

  test('a generator that is not read to its end is closed', async () => {
    let closed = 0
    function* endless() {
      try {
        for (let a = 0; ; a++) yield { a }
      } finally {
        closed++
      }
    }
    const { sql } = scripted({ insert: [failing(refused)] })
    await expect(sql.bulkInsert('t', endless())).rejects.toMatchObject({ kind: 'invalid' })
    expect(closed).toBe(1)
  })
})
