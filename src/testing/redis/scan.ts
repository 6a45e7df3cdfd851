import { equal, ok, rejects } from '../assert.ts'
import type { RedisCase } from './fixture.ts'

export const scan: readonly RedisCase[] = [
  {
    name: 'finds every key, page after page',
    async run({ redis, key }) {
      const keys = Array.from({ length: 200 }, (_, i) => key(`scan-${i}`))
      await redis.mset(Object.fromEntries(keys.map((each) => [each, 'v'])))
      const found = new Set<string>()
      for await (const each of redis.scan({ count: 7, match: `${key('scan-')}*` })) found.add(each)
      equal([...found].sort(), keys.toSorted())
    },
  },
  {
    name: 'without options finds keys among all the others',
    async run({ redis, key }) {
      await redis.set(key('größe 😀'), 'v')
      let found = false
      for await (const each of redis.scan()) found ||= each === key('größe 😀')
      ok(found, 'the key was not found')
    },
  },
  {
    name: 'match takes a glob',
    async run({ redis, key }) {
      const names = ['a1', 'a2', 'b1', 'a*', 'ax1']
      for (const name of names) await redis.set(key(name), 'v')
      const matching = async (glob: string) => {
        const found = new Set<string>()
        for await (const each of redis.scan({ match: key('') + glob, count: 1000 })) found.add(each)
        return names.filter((name) => found.has(key(name)))
      }
      equal(await matching('a?'), ['a1', 'a2', 'a*'])
      equal(await matching('a*1'), ['a1', 'ax1'])
      equal(await matching('[ab]1'), ['a1', 'b1'])
      equal(await matching('a[^1]'), ['a2', 'a*'])
      equal(await matching('a\\*'), ['a*'])
      equal(await matching('none'), [])
    },
  },
  {
    name: 'type filters by what a key holds',
    async run({ redis, key }) {
      await redis.set(key('string'), 'v')
      await redis.hset(key('hash'), { field: 'v' })
      const found = new Set<string>()
      for await (const each of redis.scan({ match: `${key('')}*`, type: 'hash', count: 1000 })) {
        found.add(each)
      }
      equal([...found], [key('hash')])
    },
  },
  {
    name: 'can be left early',
    async run({ redis, key }) {
      await redis.mset({ [key('a')]: '1', [key('b')]: '2' })
      let seen = 0
      for await (const _ of redis.scan({ match: `${key('')}*` })) {
        seen++
        break
      }
      equal(seen, 1)
      equal(await redis.get(key('a')), '1')
    },
  },
  {
    name: 'an aborted signal ends it',
    async run({ redis, key }) {
      await redis.set(key(), 'v')
      const signal = AbortSignal.abort()
      await rejects(redis.scan({ signal }).next(), { kind: 'aborted', outcome: 'not-applied' })
    },
  },
]
