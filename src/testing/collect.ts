import type { Instrument, Logger, MetricsSink, OperationRecord, Tracer } from '../core/index.ts'

/** One call of a logger. */
export interface Line {
  readonly level: string
  readonly message: string
  readonly record: OperationRecord
}

/** A logger that keeps what it is given. */
export function collectLines(): { readonly lines: Line[]; readonly logger: Logger } {
  const lines: Line[] = []
  const at = (level: string) => (record: object, message: string) => {
    lines.push({ level, message, record: record as OperationRecord })
  }
  return {
    lines,
    logger: { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') },
  }
}

export interface Observation extends Instrument {
  readonly type: 'histogram' | 'counter' | 'gauge'
  readonly value: number
}

/** Metrics that keep what they are given. */
export function collectMetrics(): {
  readonly observed: Observation[]
  readonly metrics: MetricsSink
} {
  const observed: Observation[] = []
  const of = (type: Observation['type']) => (instrument: Instrument) => (value: number) => {
    observed.push({ type, ...instrument, value })
  }
  return {
    observed,
    metrics: { histogram: of('histogram'), counter: of('counter'), gauge: of('gauge') },
  }
}

/** `[name, operation, code]` of each span that has ended. */
export function collectSpans(): { readonly spans: unknown[]; readonly tracer: Tracer } {
  const spans: unknown[] = []
  return {
    spans,
    tracer: {
      startSpan: (name, { operation }) => ({
        end: (code) => {
          spans.push([name, operation, code])
        },
      }),
    },
  }
}
