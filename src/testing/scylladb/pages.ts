import type { Page, ScyllaDB } from '../../scylladb/index.ts'
import { equal, ok, rejects } from '../assert.ts'
import {
  insertRow,
  not,
  numbers,
  rowsFrom,
  type ScyllaCase,
  type ScyllaFixture,
  selectRows,
} from './fixture.ts'

const refused = { kind: 'invalid', outcome: 'not-applied', retryable: false } as const

export const streams: readonly ScyllaCase[] = [
  {
    name: 'it gives every row, in order, whatever the size of a page',
    async run(fixture) {
      await numbers(fixture, 250)
      const { scylladb, k } = fixture
      for (const pageSize of [7, 100, 250, 251, 100_000]) {
        const rows: unknown[] = []
        for await (const row of scylladb.stream(selectRows, [k], { pageSize })) rows.push(row)
        equal(rows, rowsFrom(1, 250), `in pages of ${pageSize}`)
      }
    },
  },
  {
    name: 'no rows end it at once',
    async run({ scylladb, k }) {
      const stream = scylladb.stream(selectRows, [k])
      equal(await stream.next(), { done: true, value: undefined })
      equal(stream.exhausted, true)
      equal(await stream.next(), { done: true, value: undefined })
    },
  },
  {
    name: 'pages may be taken as a whole, also after some of their rows',
    async run(fixture) {
      await numbers(fixture, 10)
      const { scylladb, k } = fixture
      const stream = scylladb.stream(selectRows, [k], { pageSize: 4 })
      equal(await stream.next(), { done: false, value: { n: 1, v: 'row 1' } })
      equal(await stream.nextPage(), rowsFrom(2, 4))
      equal(await stream.nextPage(), rowsFrom(5, 8))
      equal(await stream.nextPage(), rowsFrom(9, 10))
      equal(await stream.nextPage(), [])
    },
  },
  {
    name: 'it is left early, and closed, without a trace',
    async run(fixture) {
      await numbers(fixture, 10)
      const { scylladb, k } = fixture
      const left = scylladb.stream(selectRows, [k], { pageSize: 2 })
      for await (const row of left) if (row.n === 3) break
      equal(await left.next(), { done: true, value: undefined })
      const closed = scylladb.stream(selectRows, [k], { pageSize: 2 })
      await closed.next()
      await closed.close()
      equal([await closed.nextPage(), closed.exhausted], [[], true])
    },
  },
  {
    name: 'a page that failed can be asked for again',
    async run(fixture) {
      await numbers(fixture, 4)
      const { scylladb, k } = fixture
      const stream = scylladb.stream(selectRows, [k], { pageSize: 2 })
      equal(await stream.nextPage(), rowsFrom(1, 2))
      await rejects(stream.nextPage({ signal: AbortSignal.abort() }), { kind: 'aborted' })
      equal(await stream.nextPage(), rowsFrom(3, 4))
    },
  },
  {
    name: 'what is no SELECT, and what is wrong otherwise, rejects the first page',
    async run({ scylladb, k }) {
      const write = scylladb.stream(insertRow, [k, 1, 'a'])
      await rejects(write.next(), refused)
      await rejects(scylladb.stream(selectRows, []).next(), refused)
      await rejects(scylladb.stream(selectRows, [k], { pageSize: 1.5 }).nextPage(), refused)
      equal((await scylladb.execute(selectRows, [k])).rows, [])
    },
  },
]

const key = () => crypto.getRandomValues(new Uint8Array(32))

function paged({ create }: ScyllaFixture): ScyllaDB {
  return create({ pagingKey: key() })
}

export const pages: readonly ScyllaCase[] = [
  {
    name: 'a state leads to the next page, in another process that has the key',
    async run(fixture) {
      await numbers(fixture, 7)
      const { create, k } = fixture
      const pagingKey = key()
      let pagingState: string | null = null
      const sizes: number[] = []
      const rows: unknown[] = []
      do {
        const page: Page = await create({ pagingKey }).page(selectRows, [k], {
          pageSize: 3,
          pagingState,
        })
        rows.push(...page.rows)
        sizes.push(page.rows.length)
        pagingState = page.pagingState
        ok(pagingState === null || /^[\w-]+$/.test(pagingState), 'it is not safe in a URL')
      } while (pagingState !== null)
      equal(rows, rowsFrom(1, 7))
      ok(sizes[0] === 3 && sizes[1] === 3, `pages of ${sizes}`)
    },
  },
  {
    name: 'it works with names, and the size of a page may change',
    async run(fixture) {
      await numbers(fixture, 7)
      const { k } = fixture
      const client = paged(fixture)
      const cql = selectRows.replace('?', ':k')
      const first = await client.page(cql, { k }, { pageSize: 2 })
      const { pagingState } = first
      const second = await client.page(cql, { k }, { pageSize: 100, pagingState })
      equal([...first.rows, ...second.rows], rowsFrom(1, 7))
    },
  },
  {
    name: 'without a key it is refused',
    async run({ create, k }) {
      const expected = { kind: 'config', outcome: 'not-applied', retryable: false } as const
      await rejects(create().page(selectRows, [k]), expected)
    },
  },
  {
    name: 'a state that was changed, cut or made up is invalid',
    async run(fixture) {
      await numbers(fixture, 5)
      const { k } = fixture
      const client = paged(fixture)
      const { pagingState } = await client.page(selectRows, [k], { pageSize: 2 })
      const state = pagingState as string
      const changed = Array.from(state, (_, i) => {
        const other = state[i] === 'A' ? 'B' : 'A'
        return `${state.slice(0, i)}${other}${state.slice(i + 1)}`
      })
      // The bits of the last letter that stand for nothing do not count.
      const all = [...changed.slice(0, -1), state.slice(1), state.slice(0, -4), `${state}AAAA`]
      for (const wrong of [...all, '', 'x', '!', 'ü', 'a b', not<string>(5)]) {
        const asked = client.page(selectRows, [k], { pageSize: 2, pagingState: wrong })
        await rejects(asked, refused, wrong)
      }
    },
  },
  {
    name: 'a state of another statement, of other parameters, keys or keyspaces is invalid',
    async run(fixture) {
      await numbers(fixture, 5)
      const { k, create } = fixture
      const client = paged(fixture)
      const { pagingState } = await client.page(selectRows, [k], { pageSize: 2 })
      const options = { pageSize: 2, pagingState }
      await rejects(client.page(`${selectRows} LIMIT 4`, [k], options), refused)
      await rejects(client.page(selectRows, ['another'], options), refused)
      await rejects(client.page(`${selectRows} AND n > ?`, [k, 1], options), refused)
      await rejects(create({ pagingKey: key() }).page(selectRows, [k], options), refused)
      equal((await client.page(selectRows, [k], options)).rows, rowsFrom(3, 4))
    },
  },
  {
    name: 'of several keys the first seals and every one opens',
    async run(fixture) {
      await numbers(fixture, 5)
      const { k, create } = fixture
      const [older, newer] = [key(), key()]
      const before = await create({ pagingKey: older }).page(selectRows, [k], { pageSize: 2 })
      const both = create({ pagingKey: [newer, older] })
      const { pagingState } = before
      const second = await both.page(selectRows, [k], { pageSize: 2, pagingState })
      equal(second.rows, rowsFrom(3, 4))
      const next = { pageSize: 2, pagingState: second.pagingState }
      await rejects(create({ pagingKey: older }).page(selectRows, [k], next), refused)
      equal((await create({ pagingKey: newer }).page(selectRows, [k], next)).rows, rowsFrom(5, 5))
    },
  },
  {
    name: 'it is for SELECT alone',
    async run(fixture) {
      const { k, scylladb } = fixture
      const client = paged(fixture)
      await rejects(client.page(insertRow, [k, 1, 'a']), refused)
      equal((await scylladb.execute(selectRows, [k])).rows, [])
    },
  },
]
