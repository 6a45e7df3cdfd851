import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { getRequestListener } from '@hono/node-server'
import type { Infrastructure } from '../config/infrastructure.ts'
import { InfraError, isInfraError } from '../core/index.ts'

export interface ServeNodeOptions {
  /** Answers a request: `app.fetch` of Hono, say. The request's signal fires when its client is gone. */
  readonly fetch: (request: Request) => Response | Promise<Response>
  /** Not ready as soon as the end begins, closed when every request has been answered. */
  readonly infra?: Pick<Infrastructure, 'health' | 'close'> | undefined
  /** 0 for any that is free. Default 8080. */
  readonly port?: number | undefined
  /** Default `127.0.0.1`, this machine alone; `0.0.0.0` in a container. */
  readonly host?: string | undefined
  /**
   * How long to go on serving while readiness fails already, so that load balancers notice and send
   * nothing more: a little above the interval of their probe. Milliseconds, default 0.
   */
  readonly drainDelayMs?: number | undefined
  /** How long requests in flight may take to end. Then they are cut off. Milliseconds, default 10,000. */
  readonly drainTimeoutMs?: number | undefined
  /** Called when nothing new is accepted any more: end here what has no end of its own, such as event streams. */
  readonly onDrain?: (() => void) | undefined
}

export interface NodeServer {
  /** `http://127.0.0.1:8080` */
  readonly url: string
  /** What SIGTERM does, except for the exit. Idempotent. Rejects as `infra.close` does. */
  stop(): Promise<void>
}

/** One Ctrl-C comes twice under npm: from the terminal, and passed on by npm. */
const sameSignalMs = 500

/**
 * Serves HTTP/1.1 on Node until SIGTERM or SIGINT. Then readiness fails, after `drainDelayMs` nothing new is
 * accepted, requests in flight are answered, `infra` is closed, and the process exits: with 0, or with 1 if
 * something did not close cleanly. A second signal exits at once, with 1.
 * @throws InfraError `SERVER_CONFIG` if it cannot listen there; `cause` is Node's own error.
 */
export async function serveNode(options: ServeNodeOptions): Promise<NodeServer> {
  const { fetch, infra, port = 8080, host = '127.0.0.1', onDrain } = options
  const { drainDelayMs = 0, drainTimeoutMs = 10_000 } = options
  const server = createServer(getRequestListener(fetch))
  server.on('request', (request, response) => {
    // Once it stops listening, a connection that is kept alive would only hold it open.
    response.once('close', () => server.listening || request.socket.end())
  })
  try {
    server.listen(port, host)
    await once(server, 'listening')
  } catch (error) {
    throw cannotListen(error as NodeJS.ErrnoException)
  }

  async function drain(): Promise<void> {
    infra?.health.drain()
    if (drainDelayMs > 0) await sleep(drainDelayMs)
    const closed = once(server, 'close')
    server.close()
    onDrain?.()
    const late = setTimeout(() => server.closeAllConnections(), drainTimeoutMs)
    await closed
    clearTimeout(late)
    await infra?.close()
  }

  let stopping: Promise<void> | undefined
  const stop = () => {
    stopping ??= drain().finally(release)
    return stopping
  }
  const release = exitOnSignal(stop)
  return { url: urlOf(server.address() as AddressInfo), stop }
}

function cannotListen(error: NodeJS.ErrnoException): InfraError {
  return new InfraError({
    kind: 'config',
    component: 'server',
    adapter: 'node',
    operation: 'listen',
    detail: `cannot listen there (${error.code})`,
    cause: error,
  })
}

function urlOf({ address, family, port }: AddressInfo): string {
  if (address === '0.0.0.0' || address === '::') return `http://localhost:${port}`
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`
}

/** Gives the function that takes it back. */
function exitOnSignal(stop: () => Promise<void>): () => void {
  let firstAt: number | undefined
  const onSignal = () => {
    if (firstAt !== undefined) {
      if (performance.now() - firstAt > sameSignalMs) process.exit(1)
      return
    }
    firstAt = performance.now()
    stop().then(
      () => process.exit(0),
      (error: unknown) => {
        console.error(isInfraError(error) ? error.message : 'could not stop cleanly')
        process.exit(1)
      },
    )
  }
  process.on('SIGINT', onSignal)
  process.on('SIGTERM', onSignal)
  return () => {
    process.off('SIGINT', onSignal)
    process.off('SIGTERM', onSignal)
  }
}
