import { EventEmitter, once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/**
 * - `pass`: forwards both ways.
 * - `blackhole`: accepts and holds everything, both ways, until the mode changes.
 * - `cut`: forwards requests; closes the connection when the reply comes.
 * - `reset`: resets the connection when a request comes, which the server never sees.
 * - `garbage`: answers requests itself, with bytes that are no protocol.
 * - `refuse`: does not listen; open connections are reset.
 * - `delayMs`: replies come that much later, in order.
 * - `dripBytes`: replies come in pieces of that size, one every `everyMs` (default 1).
 */
export type Mode =
  | 'pass'
  | 'blackhole'
  | 'cut'
  | 'reset'
  | 'garbage'
  | 'refuse'
  | { readonly delayMs: number }
  | { readonly dripBytes: number; readonly everyMs?: number }

interface Events {
  connection: []
  /** Bytes from a client have arrived (as one chunk), whatever becomes of them. */
  request: [Buffer]
  /** Bytes from the server have arrived, whatever becomes of them. */
  reply: [Buffer]
  mode: []
}

/** Bytes that are neither RESP nor HTTP. */
const garbage = Buffer.from([0x00, 0xff, 0x13, 0x37, 0x0d, 0x0a, 0xc3, 0x28, 0x0d, 0x0a])

/** A TCP proxy on loopback that fails on purpose. Events can be awaited: `await once(proxy, 'request')`. */
export class ChaosProxy extends EventEmitter<Events> {
  readonly #upstreamPort: number
  readonly #links = new Set<readonly [client: Socket, upstream: Socket]>()
  #server: Server | undefined
  #mode: Mode = 'pass'
  #port = 0
  /** Accepted so far. */
  connections = 0
  /** What clients have sent, a chunk for each read. */
  readonly received: Buffer[] = []

  constructor(upstreamPort: number, port = 0) {
    super()
    // Each connection that is held waits for the next mode.
    this.setMaxListeners(0)
    this.#upstreamPort = upstreamPort
    this.#port = port
  }

  /** Where clients connect. Stays the same while refusing. */
  get port(): number {
    return this.#port
  }

  /** Connections that are open now. */
  get open(): number {
    return this.#links.size
  }

  /** Sets what happens to new and open connections from now on. */
  async setMode(mode: Mode): Promise<void> {
    this.#mode = mode
    this.emit('mode')
    if (mode === 'refuse') await this.close()
    else await this.listen()
  }

  async listen(): Promise<void> {
    if (this.#server !== undefined) return
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      this.#accept(socket)
    }).listen(this.#port, '127.0.0.1')
    await once(this.#server, 'listening')
    this.#port = (this.#server.address() as { port: number }).port
  }

  /** Ends every open connection now: by FIN, or by RST. New ones are accepted. */
  disconnect(how: 'fin' | 'rst' = 'fin'): void {
    for (const [client, upstream] of this.#links) {
      if (how === 'rst') client.resetAndDestroy()
      else client.destroy()
      upstream.destroy()
    }
  }

  async close(): Promise<void> {
    const server = this.#server
    if (server === undefined) return
    this.#server = undefined
    const closed = once(server, 'close')
    server.close()
    this.disconnect('rst')
    await closed
  }

  #accept(client: Socket): void {
    const upstream = connect({
      port: this.#upstreamPort,
      host: '127.0.0.1',
      allowHalfOpen: true,
      noDelay: true,
    })
    const link = [client, upstream] as const
    this.#links.add(link)
    this.connections++
    this.emit('connection')
    const end = () => {
      this.#links.delete(link)
      client.destroy()
      upstream.destroy()
    }
    for (const socket of link) socket.on('error', end).on('close', end)
    // A socket that is destroyed ends its loop with an error that `end` has dealt with.
    this.#requests(client, upstream).catch(end)
    this.#replies(client, upstream).catch(end)
  }

  async #requests(client: Socket, upstream: Socket): Promise<void> {
    for await (const chunk of client as AsyncIterable<Buffer>) {
      this.received.push(chunk)
      this.emit('request', chunk)
      await this.#unheld()
      if (this.#mode === 'reset') client.resetAndDestroy()
      else if (this.#mode === 'garbage') await write(client, garbage)
      else await write(upstream, chunk)
    }
    upstream.end()
  }

  async #replies(client: Socket, upstream: Socket): Promise<void> {
    let delivered = Promise.resolve()
    for await (const chunk of upstream as AsyncIterable<Buffer>) {
      this.emit('reply', chunk)
      await this.#unheld()
      const mode = this.#mode
      if (mode === 'cut') {
        client.destroy()
        return
      }
      const arrived = performance.now()
      const previous = delivered
      delivered = (async () => {
        await previous
        await deliver(client, chunk, mode, arrived)
      })()
      // Later chunks are on their way already while this one is delayed, as on a long line.
      if (typeof mode === 'object' && 'delayMs' in mode) delivered.catch(() => {})
      else await delivered
    }
    await delivered
    client.end()
  }

  async #unheld(): Promise<void> {
    while (this.#mode === 'blackhole') await once(this, 'mode')
  }
}

/** Starts a proxy in front of a port of loopback, in mode `pass`, at a port of its own or one that is free. */
export async function startProxy(upstreamPort: number, port?: number): Promise<ChaosProxy> {
  const proxy = new ChaosProxy(upstreamPort, port)
  await proxy.listen()
  return proxy
}

async function deliver(to: Socket, chunk: Buffer, mode: Mode, arrived: number): Promise<void> {
  if (typeof mode === 'object' && 'delayMs' in mode) {
    await sleep(Math.max(0, arrived + mode.delayMs - performance.now()))
  }
  if (typeof mode === 'object' && 'dripBytes' in mode) {
    for (let at = 0; at < chunk.length; at += mode.dripBytes) {
      await write(to, chunk.subarray(at, at + mode.dripBytes))
      await sleep(mode.everyMs ?? 1)
    }
  } else await write(to, chunk)
}

async function write(to: Socket, chunk: Buffer): Promise<void> {
  if (!to.write(chunk)) await once(to, 'drain')
}
