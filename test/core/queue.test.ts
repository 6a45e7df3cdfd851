import { expect, test } from 'vitest'
import { PullQueue } from '../../src/core/queue.ts'

test('gives what was pushed in order, whether the reader or the item comes first', async () => {
  const queue = new PullQueue<number>(10)
  const early = queue.next()
  for (const item of [1, 2, 3]) expect(queue.push(item)).toBe(true)
  expect([await early, await queue.next(), await queue.next()]).toEqual([1, 2, 3])
})

test('a reader who is too far behind gets what there is, and then the reason', async () => {
  const queue = new PullQueue<number>(2)
  expect([1, 2, 3, 4].map((item) => queue.push(item))).toEqual([true, true, false, false])
  expect([await queue.next(), await queue.next()]).toEqual([1, 2])
  await expect(queue.next()).rejects.toMatchObject({ failure: { kind: 'throttled' } })
})

test('the end reaches a reader who waits, and every one after; the first reason stays', async () => {
  const queue = new PullQueue<number>(2)
  const waiting = queue.next()
  queue.end({ kind: 'unavailable' })
  queue.end({ kind: 'closed' })
  for (const read of [waiting, queue.next(), queue.next()]) {
    await expect(read).rejects.toMatchObject({ failure: { kind: 'unavailable' } })
  }
})
