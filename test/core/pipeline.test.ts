import { getEventListeners, once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import { describe, expect, test, vi } from 'vitest'
import {
  type Attempt,
  DriverFailure,
  isInfraError,
  stepOf,
  withContext,
} from '../../src/core/index.ts'
import { append, fail, never, overwrite, read, reply, scripted } from './scripted.ts'

const cut = { kind: 'unavailable' } as const
const refused = { kind: 'unavailable', outcome: 'not-applied' } as const

describe('deadline', () => {
  test('settles although the driver never does, and tells the driver once', async () => {
    const { run, attempts } = scripted([never])
    const cancelled = vi.fn()
    const pending = run(append, { timeoutMs: 30 })
    const [attempt] = attempts
    if (attempt !== undefined) attempt.onCancel = cancelled
    await expect(pending).rejects.toMatchObject({
      code: 'TEST_TIMEOUT',
      outcome: 'unknown',
      retryable: true,
      message: 'test append: no answer within 30 ms; it may have been applied',
    })
    expect(attempt?.over).toBe(true)
    expect(cancelled).toHaveBeenCalledOnce()
  })

  test('a write that was never sent is not applied when time runs out', async () => {
    const { run } = scripted([() => new Promise(() => {})])
    await expect(run(append, { timeoutMs: 20 })).rejects.toMatchObject({ outcome: 'not-applied' })
  })

  test('a reply that is there when an overdue timer fires is taken', async () => {
    const server = createServer((socket) => {
      socket.on('data', () => {
        socket.write('in time')
        // As after a thaw: the deadline passes while nothing can run, and the reply waits in the socket's buffer.
        const until = performance.now() + 60
        while (performance.now() < until);
      })
    })
    await once(server.listen(0, '127.0.0.1'), 'listening')
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
    await once(socket, 'connect')
    const { run } = scripted([
      async () => {
        socket.write('request')
        const [data] = await once(socket, 'data')
        return String(data)
      },
    ])
    try {
      await expect(run(read, { timeoutMs: 20 })).resolves.toBe('in time')
    } finally {
      socket.destroy()
      server.close()
    }
  })

  test('a reply that comes too late changes nothing', async () => {
    let answer = (_: string) => {}
    const { run, records } = scripted([
      () =>
        new Promise((resolve) => {
          answer = resolve
        }),
    ])
    await expect(run(read, { timeoutMs: 20 })).rejects.toMatchObject({ kind: 'timeout' })
    answer('late')
    await new Promise(setImmediate)
    expect(records).toHaveLength(1)
  })

  test('the limit of an attempt lets the next one try', async () => {
    const { run, attempts } = scripted([never, reply('second')], { attemptTimeoutMs: 20 })
    await expect(run(read)).resolves.toBe('second')
    expect(attempts).toHaveLength(2)
  })

  test('the context’s deadline wins when it is earlier', async () => {
    const { run } = scripted([never])
    const error = await withContext({ deadline: Date.now() + 30 }, () => run(read)).catch((e) => e)
    expect(error).toMatchObject({ kind: 'timeout' })
    await expect(
      withContext({ deadline: new Date(Date.now() - 1) }, () => run(append)),
    ).rejects.toMatchObject({ kind: 'timeout', outcome: 'not-applied' })
  })

  test('contexts nest, and the earlier deadline stays', async () => {
    const { run } = scripted([never])
    const inner = () => withContext({ deadline: Date.now() + 60_000 }, () => run(read))
    await expect(withContext({ deadline: Date.now() + 30 }, inner)).rejects.toMatchObject({
      kind: 'timeout',
    })
  })

  test.each([
    0,
    -1,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    2 ** 31,
    '5' as never,
  ])('timeoutMs %s is refused before anything is sent', async (timeoutMs) => {
    const { run, attempts } = scripted([reply('x')])
    await expect(run(read, { timeoutMs })).rejects.toMatchObject({ kind: 'invalid' })
    expect(attempts).toHaveLength(0)
  })
})

describe('retry', () => {
  test('a read is tried again', async () => {
    const { run, attempts, records } = scripted([fail(cut), fail(cut), reply('third')], {
      logSuccess: true,
    })
    await expect(run(read)).resolves.toBe('third')
    expect(attempts).toHaveLength(3)
    expect(records).toMatchObject([{ attempts: 3, outcome: 'success' }])
  })

  test('a write that adds up is never sent twice', async () => {
    const { run, attempts } = scripted([fail(cut)])
    await expect(run(append)).rejects.toMatchObject({ outcome: 'unknown' })
    expect(attempts).toHaveLength(1)
  })

  test('unless nothing was sent, or the server says that nothing was applied', async () => {
    const unsent = scripted([fail(cut, false), reply('second')])
    await expect(unsent.run(append)).resolves.toBe('second')
    const told = scripted([fail(refused), reply('second')])
    await expect(told.run(append)).resolves.toBe('second')
  })

  test('a refusal after an unclear try does not claim that nothing was applied', async () => {
    const { run } = scripted([fail(cut), fail({ kind: 'forbidden' })])
    await expect(run(overwrite)).rejects.toMatchObject({ kind: 'forbidden', outcome: 'unknown' })
  })

  test('what cannot pass with time is not repeated', async () => {
    const { run, attempts } = scripted([fail({ kind: 'invalid' })])
    await expect(run(read)).rejects.toMatchObject({ kind: 'invalid', outcome: 'not-applied' })
    expect(attempts).toHaveLength(1)
  })

  test('what is part of something larger is not repeated alone, and may be as a whole', async () => {
    const { run, attempts } = scripted([fail(refused), reply('done')])
    const failed = run({ ...append, once: true })
    await expect(failed).rejects.toMatchObject({ retryable: true, outcome: 'not-applied' })
    expect(attempts).toHaveLength(1)
  })

  test('a hint beyond the deadline fails at once, and is passed on', async () => {
    const { run, attempts } = scripted([fail({ kind: 'throttled', retryAfterMs: 60_000 })])
    await expect(run(read)).rejects.toMatchObject({ kind: 'throttled', retryAfterMs: 60_000 })
    expect(attempts).toHaveLength(1)
  })

  test('an outage is not multiplied: 3 retries, or a fifth of the calls', async () => {
    const { run, attempts } = scripted([fail(cut)])
    for (let i = 0; i < 50; i++) await run(read).catch(() => {})
    expect(attempts.length).toBe(50 + 10)
  })

  test('an abort between two tries ends the wait', async () => {
    const { run } = scripted([fail(cut)], { retry: { baseMs: 60_000, maxMs: 60_000 } })
    const abort = new AbortController()
    const pending = run(read, { signal: abort.signal, timeoutMs: 2 ** 30 })
    await new Promise(setImmediate)
    abort.abort()
    await expect(pending).rejects.toMatchObject({ kind: 'aborted' })
  })
})

describe('cancellation', () => {
  test('a signal that has fired sends nothing', async () => {
    const { run, attempts } = scripted([reply('x')])
    await expect(run(append, { signal: AbortSignal.abort() })).rejects.toMatchObject({
      kind: 'aborted',
      outcome: 'not-applied',
    })
    expect(attempts).toHaveLength(0)
  })

  test('a signal that fires later ends the wait, and says that a write may have been applied', async () => {
    const { run } = scripted([never])
    const abort = new AbortController()
    const pending = run(append, { signal: abort.signal })
    abort.abort()
    await expect(pending).rejects.toMatchObject({ kind: 'aborted', outcome: 'unknown' })
  })

  test('the context’s signal counts too', async () => {
    const { run } = scripted([never])
    const abort = new AbortController()
    const pending = withContext({ signal: abort.signal }, () => run(read))
    abort.abort()
    await expect(pending).rejects.toMatchObject({ kind: 'aborted' })
  })

  test('a long-lived signal collects no listeners', async () => {
    const { run } = scripted([reply('x')])
    const { signal } = new AbortController()
    await Promise.all(Array.from({ length: 20 }, () => run(read, { signal })))
    expect(getEventListeners(signal, 'abort')).toHaveLength(0)
  })
})

describe('an attempt of several steps', () => {
  test('is over for all of them at once, and what a step has sent is not said of the whole', async () => {
    const steps: Attempt[] = []
    const { run } = scripted([
      (attempt) => {
        const step = stepOf(attempt)
        step.sent = true
        step.onCancel = () => void steps.push(step)
        return new Promise(() => {})
      },
    ])
    await expect(run(append, { timeoutMs: 20 })).rejects.toMatchObject({ outcome: 'not-applied' })
    expect(steps.map(({ over }) => over)).toEqual([true])
  })
})

describe('close', () => {
  test('waits for what is in flight, refuses what comes after, and closes the driver once', async () => {
    const close = vi.fn(async () => {})
    let answer = (_: string) => {}
    const { run, pipeline } = scripted(
      [
        () =>
          new Promise((resolve) => {
            answer = resolve
          }),
      ],
      {},
      close,
    )
    const pending = run(read)
    const closing = [pipeline.close(), pipeline.close()]
    await expect(run(read)).rejects.toMatchObject({ kind: 'closed', outcome: 'not-applied' })
    expect(close).not.toHaveBeenCalled()
    answer('done')
    await expect(pending).resolves.toBe('done')
    await Promise.all(closing)
    expect(close).toHaveBeenCalledOnce()
  })

  test('does not wait for ever', async () => {
    const close = vi.fn(async () => {})
    const { run, pipeline } = scripted([never], { drainTimeoutMs: 20 }, close)
    const pending = run(read, { timeoutMs: 60_000, signal: AbortSignal.timeout(200) })
    await pipeline.close()
    expect(close).toHaveBeenCalledOnce()
    await expect(pending).rejects.toMatchObject({ kind: 'aborted' })
  })

  test('an adapter that cannot close is a failure, not a hang', async () => {
    const { pipeline } = scripted([never], { drainTimeoutMs: 20 }, () => new Promise(() => {}))
    await expect(pipeline.close()).rejects.toMatchObject({ kind: 'timeout', operation: 'close' })
  })
})

describe('telemetry', () => {
  test('a failure’s record says all that is needed to find it, and a success has none', async () => {
    const { run, records } = scripted([reply('x'), fail(cut)])
    await run(read)
    await run(append, { correlationId: 'req-7' }).catch(() => {})
    expect(records).toEqual([
      {
        component: 'test',
        adapter: 'scripted',
        operation: 'append',
        resource: 'nowhere',
        durationMs: expect.any(Number),
        attempts: 1,
        correlationId: 'req-7',
        outcome: 'unknown',
        code: 'TEST_UNAVAILABLE',
        kind: 'unavailable',
        retryable: true,
      },
    ])
  })

  test('a correlation ID that could forge a log line is refused and not logged', async () => {
    const { run, records } = scripted([reply('x')])
    await expect(run(read, { correlationId: 'a\nb' })).rejects.toMatchObject({ kind: 'invalid' })
    expect(JSON.stringify(records)).not.toContain('a\\nb')
  })

  test('durations and errors are observed under bounded labels', async () => {
    const seen: unknown[] = []
    const instrument = (kind: string) => (spec: { name: string; labels: object }) => {
      return (value: number) => seen.push([kind, spec.name, spec.labels, typeof value])
    }
    const metrics = {
      histogram: instrument('histogram'),
      counter: instrument('counter'),
      gauge: instrument('gauge'),
    }
    const { run } = scripted([reply('x'), fail({ kind: 'invalid' })], { metrics })
    await run(read)
    await run(read).catch(() => {})
    expect(seen).toEqual([
      ['histogram', 'test_duration_seconds', { operation: 'read' }, 'number'],
      ['histogram', 'test_duration_seconds', { operation: 'read' }, 'number'],
      ['counter', 'test_errors_total', { operation: 'read', code: 'TEST_INVALID' }, 'number'],
    ])
  })

  test('a span covers the operation and carries the code of its failure', async () => {
    const ends: unknown[] = []
    const tracer = {
      startSpan: (name: string) => ({ end: (code?: string) => void ends.push([name, code]) }),
    }
    const { run } = scripted([reply('x'), fail({ kind: 'invalid' })], { tracer })
    await run(read)
    await run(read).catch(() => {})
    expect(ends).toEqual([
      ['test read', undefined],
      ['test read', 'TEST_INVALID'],
    ])
  })

  test('telemetry that throws fails no call', async () => {
    const explode = () => {
      throw new Error('telemetry')
    }
    const { run } = scripted([reply('x'), fail({ kind: 'invalid' })], {
      logger: { debug: explode, info: explode, warn: explode, error: explode },
      metrics: { histogram: explode, counter: explode, gauge: explode },
      tracer: { startSpan: explode },
      logSuccess: true,
    })
    await expect(run(read)).resolves.toBe('x')
    await expect(run(read)).rejects.toMatchObject({ kind: 'invalid' })
  })
})

describe('an adapter that misbehaves', () => {
  test('throws instead of rejecting', async () => {
    const { run } = scripted([
      () => {
        throw new DriverFailure({ kind: 'invalid' })
      },
    ])
    await expect(run(read)).rejects.toMatchObject({ kind: 'invalid' })
  })

  test('fails while explaining a failure', async () => {
    const { pipeline } = scripted([never])
    pipeline.driver.classify = () => {
      throw new Error('secret')
    }
    const error = await pipeline
      .run(read, undefined, () => Promise.reject(new Error('secret')), undefined)
      .catch((e) => e)
    expect(isInfraError(error, 'internal')).toBe(true)
    expect(String(error)).not.toContain('secret')
  })

  test('answers what its operation cannot mean', async () => {
    const odd = {
      ...append,
      decode: () => {
        throw new TypeError('secret')
      },
    }
    const { run } = scripted([reply('x')])
    await expect(run(odd)).rejects.toMatchObject({ kind: 'internal', outcome: 'unknown' })
  })
})

test.each([
  { timeoutMs: 0 },
  { attemptTimeoutMs: -1 },
  { drainTimeoutMs: Number.NaN },
  { retry: { retries: 1.5 } },
  { retry: { retries: 11 } },
  { retry: { baseMs: -1 } },
])('the constructor refuses %o', (options) => {
  expect(() => scripted([never], options)).toThrow(expect.objectContaining({ kind: 'config' }))
})
