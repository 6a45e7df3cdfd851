import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { SharedTimer, type Timed } from '../../src/core/timers.ts'

test('each one left expires once, never early; what was removed never does', async () => {
  const timer = new SharedTimer()
  const start = performance.now()
  const expired: { due: number; at: number; removed: boolean }[] = []
  const all = Array.from({ length: 500 }, (_, i) => {
    const timed: Timed & { removed: boolean } = {
      // Some are overdue from the start.
      due: start - 5 + ((i * 37) % 120),
      slot: undefined,
      removed: i % 3 === 0,
      expire() {
        expired.push({ due: this.due, at: performance.now(), removed: this.removed })
      },
    }
    timer.add(timed)
    return timed
  })
  for (const timed of all) if (timed.removed) timer.remove(timed)
  await new Promise<void>((resolve) => {
    const last: Timed = { due: start + 150, slot: undefined, expire: resolve }
    timer.add(last)
  })
  expect(expired).toHaveLength(all.filter((timed) => !timed.removed).length)
  for (const { due, at, removed } of expired) {
    expect(removed).toBe(false)
    expect(at).toBeGreaterThanOrEqual(due - 1)
  }
})

test('a finished call does not hold the process open, a pending one does', async () => {
  const run = promisify(execFile)
  const timers = new URL('../../src/core/timers.ts', import.meta.url)
  const script = `
    import { deadlines } from ${JSON.stringify(timers.href)}
    const call = (ms, expire) => ({ due: performance.now() + ms, slot: undefined, expire })
    const done = call(60_000, () => console.log('expired'))
    deadlines.add(done)
    deadlines.remove(done)
    deadlines.add(call(20, () => console.log('pending')))
  `
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', script], {
    timeout: 15_000,
  })
  expect(stdout).toBe('pending\n')
})

test('those that are overdue together expire in the order in which they were due', async () => {
  const timer = new SharedTimer()
  const start = performance.now()
  const expired: number[] = []
  const all = Promise.all(
    [60, 20, 40].map(
      (delay) =>
        new Promise<void>((resolve) => {
          const expire = () => {
            expired.push(delay)
            resolve()
          }
          timer.add({ due: start + delay, slot: undefined, expire })
        }),
    ),
  )
  while (performance.now() < start + 100);
  await all
  expect(expired).toEqual([20, 40, 60])
})
