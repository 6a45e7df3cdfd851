import type { MetricsSink } from './telemetry.ts'

/** How the connections of an adapter are used at this moment. */
export interface PoolFigures {
  /** Connections that are established, in use or not. */
  readonly open: number
  readonly inUse: number
  /** Operations that wait for a connection, or for a server to be found. */
  readonly waiting: number
}

/** The connections of an adapter that holds any. */
export interface Pool {
  readonly figures: PoolFigures
  /** Called after every change of the figures, if it is set. */
  onChange: (() => void) | undefined
}

/** `mongodb_pool_connections{state}`, after every change. */
export function watchPool(backend: string, pool: Pool, sink: MetricsSink): void {
  const gauge = (state: string) =>
    sink.gauge({
      name: `${backend}_pool_connections`,
      help: 'connections that are open and in use, and operations that wait for one',
      labels: { state },
    })
  const [open, inUse, waiting] = [gauge('open'), gauge('in_use'), gauge('waiting')]
  pool.onChange = () => {
    const { figures } = pool
    open(figures.open)
    inUse(figures.inUse)
    waiting(figures.waiting)
  }
}
