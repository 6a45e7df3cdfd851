import { onTestFinished } from 'vitest'
import { type ClientOptions, type InfraError, isInfraError } from '../../src/core/index.ts'
import { Redis, type RedisDriver } from '../../src/redis/index.ts'

/**
 * A call settles by its deadline + 50 ms. Tests share two cores with others, so that a timer that is started
 * beside the call shows how late this process is altogether; what is left between the two is short.
 */
const slackMs = 150

/** The error of a call that must fail, with one of ours, and no later than a deadline of `withinMs` allows. */
export async function failure(call: () => Promise<unknown>, withinMs: number): Promise<InfraError> {
  let due = Infinity
  const timer = setTimeout(() => {
    due = performance.now()
  }, withinMs)
  const result = await call().then(
    () => 'it succeeded',
    (error: unknown) => error,
  )
  clearTimeout(timer)
  const lateMs = performance.now() - due
  if (!isInfraError(result)) throw new Error(`not an InfraError: ${result}`)
  if (lateMs < slackMs) return result
  throw new Error(`settled ${lateMs} ms after a deadline of ${withinMs} ms`, { cause: result })
}

/** A quiet client, closed when the test is over. */
export function client(driver: RedisDriver, options: ClientOptions = {}): Redis {
  const redis = new Redis(driver, { logger: false, drainTimeoutMs: 1000, ...options })
  onTestFinished(() => redis.close())
  return redis
}

let keys = 0
/** A key that no other test uses. */
export function freshKey(): string {
  return `failures:${process.pid}:${Date.now()}:${keys++}`
}
