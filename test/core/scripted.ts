import {
  type Attempt,
  type CallOptions,
  CallPipeline,
  type ClientOptions,
  type Driver,
  DriverFailure,
  type Failure,
  type Operation,
  type OperationRecord,
} from '../../src/core/index.ts'

export const read: Operation<string> = { name: 'read', write: false, idempotent: true }
export const overwrite: Operation<string> = { name: 'overwrite', write: true, idempotent: true }
export const append: Operation<string> = { name: 'append', write: true, idempotent: false }

type Step = (attempt: Attempt) => Promise<string>

export const reply =
  (value: string): Step =>
  async (attempt) => {
    attempt.sent = true
    return value
  }
export const fail =
  (failure: Failure, sent = true): Step =>
  async (attempt) => {
    attempt.sent = sent
    throw new DriverFailure(failure)
  }
export const never: Step = (attempt) => {
  attempt.sent = true
  return new Promise(() => {})
}

/** The seam below the pipeline, played by a script: one step for each attempt, the last for all that follow. */
export function scripted(
  steps: readonly Step[],
  options: ClientOptions = {},
  close = async () => {},
) {
  const attempts: Attempt[] = []
  const records: OperationRecord[] = []
  const keep = (record: object) => void records.push(record as OperationRecord)
  const driver: Driver = {
    adapter: 'scripted',
    resource: 'nowhere',
    ping: async () => {},
    close,
    classify: () => ({ kind: 'unavailable' }),
    native: async () => undefined,
  }
  const pipeline = new CallPipeline(
    'test',
    driver,
    { duration: 'test_duration_seconds', label: 'operation' },
    {
      logger: { debug: keep, info: keep, warn: keep, error: keep },
      retry: { baseMs: 1, maxMs: 2 },
      breaker: false,
      ...options,
    },
  )
  function send(_: undefined, attempt: Attempt): Promise<string> {
    const step = steps[Math.min(attempts.length, steps.length - 1)] as Step
    attempts.push(attempt)
    return step(attempt)
  }
  return {
    pipeline,
    attempts,
    records,
    run: (operation: Operation<string>, callOptions?: CallOptions) =>
      pipeline.run(operation, undefined, send, callOptions),
  }
}
