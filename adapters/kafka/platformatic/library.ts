import type { Base, ConnectionPool } from '@platformatic/kafka'
import { DriverFailure } from '../../../src/core/index.ts'

export type Library = typeof import('@platformatic/kafka')

let library: Promise<Library> | undefined

/** Memoised, but not its failure: what is installed meanwhile is found. */
export function load(): Promise<Library> {
  if (library === undefined) {
    library = importLibrary()
    library.catch(() => {
      library = undefined
    })
  }
  return library
}

async function importLibrary(): Promise<Library> {
  // In a `try`, so that bundlers let it be missing.
  try {
    return await import('@platformatic/kafka')
  } catch (cause) {
    const { code } = cause as { code?: unknown }
    const missing = code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND'
    const detail = missing
      ? '@platformatic/kafka is not installed; run: npm install @platformatic/kafka'
      : '@platformatic/kafka could not be loaded'
    throw new DriverFailure({ kind: 'config', outcome: 'not-applied', detail }, { cause })
  }
}

/** The second error of one connection would have no listener, and end the process. */
export function guard(pool: ConnectionPool): void {
  pool.on('connecting', ({ connection }) => void connection.on('error', () => {}))
}

/** Cuts every connection now. What waits for an answer fails, and nothing more is sent on them. */
export function cut(pool: ConnectionPool): void {
  for (const [, connection] of [...pool]) connection.socket?.destroy()
}

/** Ends a client for good, and at once: the library by itself would wait for what it has still to write. */
export async function discard(client: Base): Promise<void> {
  const sockets = Array.from(client.connections, ([, { socket }]) => socket)
  const closed = client.close()
  for (const socket of sockets) socket?.destroy()
  await closed.catch(() => {})
}
