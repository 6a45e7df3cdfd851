import { onTestFinished } from 'vitest'
import { type ClientOptions, type InfraError, isInfraError } from '../../src/core/index.ts'
import { Redis, type RedisDriver } from '../../src/redis/index.ts'

/**
 * A call settles by its deadline + 50 ms; two busy cores need more at times. Far less than what a missed
 * deadline costs: the client's own 5 s.
 */
const slackMs = 250

/** The error of a call that must fail, with one of ours, and no later than a deadline of `withinMs` allows. */
export async function failure(call: () => Promise<unknown>, withinMs: number): Promise<InfraError> {
  const startedAt = performance.now()
  const result = await call().then(
    () => 'it succeeded',
    (error: unknown) => error,
  )
  const elapsedMs = performance.now() - startedAt
  if (!isInfraError(result)) throw new Error(`not an InfraError: ${result}`)
  if (elapsedMs < withinMs + slackMs) return result
  throw new Error(`settled after ${elapsedMs} ms, with a deadline of ${withinMs}`, {
    cause: result,
  })
}

/** A quiet client, closed when the test is over. */
export function client(driver: RedisDriver, options: ClientOptions = {}): Redis {
  const redis = new Redis(driver, { logger: false, drainTimeoutMs: 100, ...options })
  onTestFinished(() => redis.close())
  return redis
}

let keys = 0
/** A key that no other test uses. */
export function freshKey(): string {
  return `failures:${process.pid}:${Date.now()}:${keys++}`
}
