import { equal, ok, rejects } from '../assert.ts'
import type { RedisCase } from './fixture.ts'

const entry = (id: string, field = 'field', value = id) => ({ id, fields: { [field]: value } })

export const streams: readonly RedisCase[] = [
  {
    name: 'the server chooses IDs that only grow',
    async run({ redis, key }) {
      const ids = await Promise.all(Array.from({ length: 20 }, (_, i) => redis.xadd(key(), { i })))
      for (const id of ids) ok(/^\d+-\d+$/.test(id), `${id} is not an ID`)
      const entries = await redis.xrange(key())
      equal(
        entries,
        ids.map((id, i) => entry(id, 'i', String(i))),
      )
      equal(await redis.xlen(key()), 20)
    },
  },
  {
    name: 'entries keep their fields, in order and whatever their names',
    async run({ redis, key }) {
      const fields = { z: '1', a: '', __: 'ü😀', 'with space': 'a\r\nb' }
      const id = await redis.xadd(key(), { ...fields, n: 5 })
      const [read] = await redis.xrange(key())
      equal(read, { id, fields: { ...fields, n: '5' } })
      equal(Object.keys(read?.fields ?? {}), [...Object.keys(fields), 'n'])
      await redis.xadd(key('proto'), new Map([['__proto__', 'own']]))
      equal(Object.entries((await redis.xrange(key('proto')))[0]?.fields ?? {}), [
        ['__proto__', 'own'],
      ])
    },
  },
  {
    name: 'xrange and xrevrange read between two IDs, both included',
    async run({ redis, key }) {
      for (const id of ['1-0', '1-1', '2-0', '3-0']) await redis.xadd(key(), { field: id }, { id })
      equal(await redis.xrange(key(), '1-1', '2-0'), [entry('1-1'), entry('2-0')])
      equal(await redis.xrange(key(), '1', '1'), [entry('1-0'), entry('1-1')], 'without a sequence')
      equal(await redis.xrange(key(), '(2-0'), [entry('3-0')], 'excluded')
      equal(await redis.xrange(key(), '-', '+', { count: 2 }), [entry('1-0'), entry('1-1')])
      equal(await redis.xrange(key(), '9-0'), [])
      equal(await redis.xrevrange(key(), '+', '-', { count: 2 }), [entry('3-0'), entry('2-0')])
      equal(await redis.xrevrange(key(), '2-0', '1-1'), [entry('2-0'), entry('1-1')])
    },
  },
  {
    name: 'a missing stream is empty',
    async run({ redis, key }) {
      equal(await redis.xrange(key()), [], 'xrange')
      equal(await redis.xrevrange(key()), [], 'xrevrange')
      equal(await redis.xread({ [key()]: '0' }), [], 'xread')
      equal(await redis.xlen(key()), 0, 'xlen')
      equal(await redis.xdel(key(), '1-0'), 0, 'xdel')
    },
  },
  {
    name: 'xread gives what came after an ID, for several streams',
    async run({ redis, key }) {
      for (const id of ['1-0', '2-0', '3-0']) await redis.xadd(key('a'), { field: id }, { id })
      await redis.xadd(key('b'), { field: '7-0' }, { id: '7-0' })
      equal(await redis.xread({ [key('a')]: '1-0', [key('none')]: '0', [key('b')]: '0' }), [
        { key: key('a'), entries: [entry('2-0'), entry('3-0')] },
        { key: key('b'), entries: [entry('7-0')] },
      ])
      equal(await redis.xread({ [key('a')]: '0', [key('b')]: '7-0' }, { count: 1 }), [
        { key: key('a'), entries: [entry('1-0')] },
      ])
    },
  },
  {
    name: 'xread past the end is empty',
    async run({ redis, key }) {
      await redis.xadd(key(), { field: 1 }, { id: '5-0' })
      equal(await redis.xread({ [key()]: '5-0' }), [])
      equal(await redis.xread({ [key()]: '$' }), [])
    },
  },
  {
    name: 'an ID that is not above the last one is a conflict',
    async run({ redis, key }) {
      equal(await redis.xadd(key(), { field: 1 }, { id: '5-1' }), '5-1')
      const conflict = { kind: 'conflict', outcome: 'not-applied', retryable: false } as const
      await rejects(redis.xadd(key(), { field: 2 }, { id: '5-1' }), conflict, 'the same')
      await rejects(redis.xadd(key(), { field: 2 }, { id: '4-9' }), conflict, 'below')
      equal(await redis.xadd(key(), { field: 2 }, { id: '5-*' }), '5-2')
      equal(await redis.xlen(key()), 2)
    },
  },
  {
    name: 'xdel counts what existed and leaves the rest',
    async run({ redis, key }) {
      for (const id of ['1-0', '2-0', '3-0']) await redis.xadd(key(), { field: id }, { id })
      equal(await redis.xdel(key(), ['1-0', '2-0', '8-0']), 2)
      equal(await redis.xdel(key(), '1-0'), 0)
      equal(await redis.xrange(key()), [entry('3-0')])
    },
  },
  {
    name: 'maxLength trims the oldest entries, roughly',
    async run({ redis, key }) {
      const pipeline = redis.pipeline()
      for (let i = 1; i <= 1000; i++) pipeline.xadd(key(), { i }, { id: `${i}-0`, maxLength: 10 })
      await pipeline.exec()
      const length = await redis.xlen(key())
      ok(length >= 10 && length < 1000, `${length} entries are left of 1000`)
      equal((await redis.xrevrange(key(), '+', '-', { count: 1 }))[0]?.id, '1000-0')
    },
  },
  {
    name: 'xread with blockMs waits for an entry, and ends empty if none comes',
    needs: ['blocking'],
    async run({ redis, key }) {
      equal(await redis.xread({ [key()]: '$' }, { blockMs: 20 }), [])
      await redis.xadd(key(), { field: '1-0' }, { id: '1-0' })
      const waiting = redis.xread({ [key()]: '1-0' }, { blockMs: 20_000, timeoutMs: 20_000 })
      await redis.xadd(key(), { field: '2-0' }, { id: '2-0' })
      equal(await waiting, [{ key: key(), entries: [entry('2-0')] }])
    },
  },
  {
    name: 'xread with blockMs is refused as unsupported where nothing can wait',
    without: 'blocking',
    async run({ redis, key }) {
      const unsupported = { kind: 'unsupported', outcome: 'not-applied' } as const
      await rejects(redis.xread({ [key()]: '$' }, { blockMs: 20 }), unsupported)
      await rejects(() => redis.pipeline().xread({ [key()]: '$' }, { blockMs: 20 }), unsupported)
    },
  },
]
