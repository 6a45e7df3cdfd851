import type { Row } from '../../sql/index.ts'
import { equal, rejects } from '../assert.ts'
import { not, type Procedures, type SqlCase, type SqlFixture } from './fixture.ts'

async function made({ procedures }: SqlFixture): Promise<Procedures> {
  if (procedures === undefined) throw new Error('the target makes no procedures')
  return procedures()
}

/** By name or in order, as the dialect has it. */
function given({ dialect }: SqlFixture, values: Record<string, never>) {
  return dialect === 'sqlserver' ? values : Object.values(values)
}

/** Of the one row that there is. To MySQL, the sum of two integers is one of 64 bits. */
function sumOf(sets: readonly Row[][]): number {
  equal(
    sets.map((rows) => rows.map(Object.keys)),
    [[['sum']]],
  )
  return Number(sets[0]?.[0]?.sum)
}

export const calls: readonly SqlCase[] = [
  {
    name: 'a procedure gives its rows',
    needs: ['procedures'],
    async run(fixture) {
      const { add } = await made(fixture)
      const values = given(fixture, { a: not(2), b: not(3) })
      const { sets } = await fixture.sql.call(add, values)
      equal(sumOf(sets), 5)
    },
  },
  {
    name: 'a result without rows is an empty one',
    needs: ['procedures'],
    async run(fixture) {
      const { add } = await made(fixture)
      const values = given(fixture, { a: not(fixture.sql.integer(null)), b: not(3) })
      equal((await fixture.sql.call(add, values)).sets, [[]])
    },
  },
  {
    name: 'several results come in order',
    needs: ['procedures', 'resultSets'],
    async run(fixture) {
      const { twoResults } = await made(fixture)
      const { sets } = await fixture.sql.call(twoResults ?? '', given(fixture, { code: not(1) }))
      equal(sets, [[{ first: 1 }], [{ second: 2 }, { second: 3 }]])
    },
  },
  {
    name: 'output parameters and the return value come back',
    needs: ['procedures', 'outputParameters'],
    async run(fixture) {
      const { double } = await made(fixture)
      const { sql } = fixture
      const called = await sql.call(double ?? '', { a: 21, doubled: sql.output('integer') })
      equal(called.output, { doubled: 42 })
      equal(called.returnValue, 21)
    },
  },
  {
    name: 'it runs within a transaction',
    needs: ['procedures'],
    async run(fixture) {
      const { add } = await made(fixture)
      const values = given(fixture, { a: not(2), b: not(3) })
      const { sets } = await fixture.sql.transaction((transaction) => transaction.call(add, values))
      equal(sumOf(sets), 5)
    },
  },
  {
    name: 'one that is not there is not found, and wrong parameters are invalid',
    needs: ['procedures'],
    async run(fixture) {
      const { add } = await made(fixture)
      const { sql } = fixture
      await rejects(sql.call('dualport_never_made'), { kind: 'not-found', outcome: 'not-applied' })
      const wrong = { kind: 'invalid', outcome: 'not-applied' } as const
      await rejects(sql.call(add, given(fixture, { a: not(1) })), wrong, 'one too few')
      const other = fixture.dialect === 'sqlserver' ? [1, 2] : { a: 1, b: 2 }
      await rejects(sql.call(add, not(other)), wrong, 'the other way')
      const bad = given(fixture, { a: not(undefined), b: not(1) })
      await rejects(sql.call(add, bad), wrong, 'undefined')
      await rejects(sql.call(not(undefined)), wrong, 'no name')
      await rejects(sql.call(''), wrong, 'an empty name')
      await rejects(sql.call(add, given(fixture, { a: not(1), b: not(2) }), not({ in: 1 })), wrong)
    },
  },
  {
    name: 'output parameters are refused where there are none',
    needs: ['procedures'],
    async run(fixture) {
      const { sql } = fixture
      if (sql.capabilities.outputParameters) return
      const { add } = await made(fixture)
      const values = given(fixture, { a: not(1), b: not(sql.output('integer')) })
      await rejects(sql.call(add, values), { kind: 'unsupported', outcome: 'not-applied' })
    },
  },
  {
    name: 'without the capability it is refused',
    without: 'procedures',
    async run({ sql }) {
      await rejects(sql.call('anything'), {
        kind: 'unsupported',
        outcome: 'not-applied',
        retryable: false,
      })
    },
  },
]
