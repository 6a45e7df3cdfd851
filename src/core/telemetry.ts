import type { ErrorKind, Outcome } from './errors.ts'

/** Anything with pino's methods. */
export interface Logger {
  debug(record: object, message: string): void
  info(record: object, message: string): void
  warn(record: object, message: string): void
  error(record: object, message: string): void
}

/** What every operation's log record holds. Keys, values and credentials are never among it. */
export interface OperationRecord {
  component: string
  adapter: string
  operation: string
  /** Where it went, without credentials: `127.0.0.1:6379/0`. */
  resource: string | undefined
  durationMs: number
  attempts: number
  correlationId: string | undefined
  outcome: 'success' | Outcome
  code?: string
  kind?: ErrorKind
  retryable?: boolean
}

/** Writes one JSON line a record: `debug` and `info` to standard output, the rest to standard error. */
export const jsonLogger: Logger = {
  debug: (record, message) => console.debug(line('debug', record, message)),
  info: (record, message) => console.info(line('info', record, message)),
  warn: (record, message) => console.warn(line('warn', record, message)),
  error: (record, message) => console.error(line('error', record, message)),
}

function line(level: string, record: object, msg: string): string {
  return JSON.stringify({ level, time: new Date().toISOString(), msg, ...record })
}

export type Labels = Readonly<Record<string, string>>

export interface Instrument {
  /** Prometheus style: `redis_operation_duration_seconds`, `redis_errors_total`. */
  readonly name: string
  readonly help: string
  /** Label values come from bounded sets: a command's name, an error's code, never a key. */
  readonly labels: Labels
}

/**
 * Where metrics go. Each method is called once for a combination of labels and gives the function that
 * is then called for every observation, so that a call costs no lookup.
 */
export interface MetricsSink {
  /** Durations in seconds, sizes in bytes. */
  histogram(instrument: Instrument): (value: number) => void
  counter(instrument: Instrument): (increment: number) => void
  gauge(instrument: Instrument): (value: number) => void
}

/** Where spans go. `startSpan` is called once an operation, retries included. */
export interface Tracer {
  startSpan(name: string, attributes: Labels): Span
}

export interface Span {
  /** Ends the span; `code` is the error's, if the operation failed. */
  end(code?: string): void
}
