import { SamplingBreaker } from 'cockatiel'
import { describe, expect, test } from 'vitest'
import { Breaker, RetryBudget } from '../../src/core/resilience.ts'
import { fail, read, reply, scripted } from './scripted.ts'

/** Far enough apart to be failures of their own. */
function failTimes(breaker: Breaker, times: number): number {
  for (let i = 1; i <= times; i++) breaker.failure(i * 20)
  return times * 20
}

describe('the circuit', () => {
  test('opens after 10 failures in a row, and not before', () => {
    const breaker = new Breaker()
    const now = failTimes(breaker, 9)
    expect(breaker.refuses(now, now + 100)).toBe(0)
    breaker.failure(now + 20)
    expect(breaker.refuses(now + 20, now + 120)).toBe(500)
  })

  test('counts everything that one lost connection takes along as one', () => {
    const breaker = new Breaker()
    for (let i = 0; i < 1000; i++) breaker.failure(5)
    expect(breaker.refuses(6, 100)).toBe(0)
  })

  test('half-open, lets one probe through and refuses the others at once', () => {
    const breaker = new Breaker()
    const later = failTimes(breaker, 10) + 500
    expect(breaker.refuses(later, later + 100)).toBe(0)
    expect(breaker.refuses(later + 1, later + 101)).toBeGreaterThan(0)
    breaker.success()
    expect(breaker.refuses(later + 2, later + 102)).toBe(0)
    expect(breaker.refuses(later + 3, later + 103)).toBe(0)
  })

  test('stays open twice as long after each failed probe, up to its limit', () => {
    const breaker = new Breaker({ maxOpenMs: 1500 })
    let now = failTimes(breaker, 10)
    for (const expected of [500, 1000, 1500, 1500]) {
      expect(breaker.refuses(now, now + 10)).toBe(expected)
      now += expected
      expect(breaker.refuses(now, now + 10)).toBe(0)
      breaker.failure(now)
    }
  })

  test('a probe that never reports back loses its place at its deadline', () => {
    const breaker = new Breaker()
    const later = failTimes(breaker, 10) + 500
    expect(breaker.refuses(later, later + 100)).toBe(0)
    expect(breaker.refuses(later + 99, later + 200)).toBeGreaterThan(0)
    expect(breaker.refuses(later + 100, later + 200)).toBe(0)
  })

  test('a success from before it opened does not close it', () => {
    const breaker = new Breaker()
    const now = failTimes(breaker, 10)
    breaker.success()
    expect(breaker.refuses(now + 1, now + 100)).toBeGreaterThan(0)
  })

  test('takes cockatiel’s breakers as they are', () => {
    const counter = new SamplingBreaker({ threshold: 0.5, duration: 10_000, minimumRps: 1 })
    const breaker = new Breaker({ breaker: counter })
    for (let i = 0; i < 5; i++) breaker.success()
    const now = failTimes(breaker, 6)
    expect(breaker.refuses(now, now + 100)).toBeGreaterThan(0)
  })

  test('refuses calls as not applied, with the time to wait, until a probe succeeds', async () => {
    const { run, attempts } = scripted([fail({ kind: 'unavailable' }, false), reply('back')], {
      breaker: { breaker: { success() {}, failure: () => true }, halfOpenAfterMs: 30 },
      retry: false,
    })
    await expect(run(read)).rejects.toMatchObject({ kind: 'unavailable' })
    const refused = await run(read).catch((error) => error)
    expect(refused).toMatchObject({ kind: 'unavailable', outcome: 'not-applied' })
    expect(attempts).toHaveLength(1)
    await new Promise((resolve) => setTimeout(resolve, refused.retryAfterMs))
    await expect(run(read)).resolves.toBe('back')
  })

  test('is not moved by failures that say nothing of the server’s health', async () => {
    const { run } = scripted([fail({ kind: 'invalid' })], { breaker: {} })
    for (let i = 0; i < 30; i++) {
      await expect(run(read)).rejects.toMatchObject({ kind: 'invalid' })
    }
  })
})

test('the retry budget is 3 or a fifth of the calls, anew in every window', () => {
  const budget = new RetryBudget()
  const spend = () => {
    let taken = 0
    while (budget.take()) taken++
    return taken
  }
  budget.call(0)
  expect(spend()).toBe(3)
  for (let i = 0; i < 99; i++) budget.call(1)
  expect(spend()).toBe(17)
  budget.call(10_000)
  expect(spend()).toBe(3)
})
