import { expect } from 'vitest'
import { type InfraError, isInfraError } from '../../src/core/index.ts'

/** How much later than its deadline a call may settle: far more than promised, for machines that are busy. */
export const slackMs = 2000

/** The error of a call that must fail. */
export async function failure(work: Promise<unknown>): Promise<InfraError> {
  const error = await work.then(
    () => undefined,
    (error: unknown) => error,
  )
  if (!isInfraError(error)) throw error ?? new Error('it succeeded')
  return error
}

/** As `failure`, by its deadline. */
export async function failureInTime(work: Promise<unknown>, withinMs = 5000): Promise<InfraError> {
  const started = performance.now()
  const error = await failure(work)
  expect(performance.now() - started).toBeLessThan(withinMs + slackMs)
  return error
}
