import { EventEmitter, once } from 'node:events'
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'

export interface ReceivedRequest {
  readonly method: string
  /** With the query string. */
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** Answers a request in any way; `response.socket` is there for what is not HTTP. */
export type Handler = (request: ReceivedRequest, response: ServerResponse) => unknown

interface Events {
  /** A request has arrived in full; its handler runs next. */
  request: [ReceivedRequest]
  /** A client went away before its answer was complete. */
  abandoned: [ReceivedRequest]
}

/** An HTTP server on loopback that answers as a script says. Events can be awaited: `await once(server, 'request')`. */
export class ScriptedServer extends EventEmitter<Events> {
  readonly requests: ReceivedRequest[] = []
  /** How requests are answered from now on. */
  handler: Handler
  readonly #server: Server

  constructor(handler: Handler) {
    super()
    this.handler = handler
    this.#server = createServer((request, response) => void this.#answer(request, response))
  }

  /** `http://127.0.0.1:49152` */
  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as { port: number }).port}`
  }

  async listen(): Promise<void> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
  }

  async close(): Promise<void> {
    const closed = once(this.#server, 'close')
    this.#server.close()
    this.#server.closeAllConnections()
    await closed
  }

  async #answer(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const request: ReceivedRequest = {
      method: incoming.method ?? '',
      path: incoming.url ?? '',
      headers: incoming.headers,
      body: await text(incoming).catch(() => ''),
    }
    response.once('close', () => {
      if (!response.writableFinished) this.emit('abandoned', request)
    })
    this.requests.push(request)
    this.emit('request', request)
    await this.handler(request, response)
  }
}

/** Starts a server that answers every request with `handler`. */
export async function serve(handler: Handler): Promise<ScriptedServer> {
  const server = new ScriptedServer(handler)
  await server.listen()
  return server
}

export function json(value: unknown, status = 200, headers: Record<string, string> = {}): Handler {
  return (_, response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers })
    response.end(JSON.stringify(value))
  }
}

/** Never answers. */
export const silence: Handler = () => {}

/** Resets the connection instead of answering. */
export const reset: Handler = (_, response) => response.socket?.resetAndDestroy()

/** What is not HTTP. */
export const garbage: Handler = (_, response) => response.socket?.end('\x00\xff*1\r\n:1\r\n')

/** What a proxy says when the server behind it is down. */
export const badGateway: Handler = (_, response) => {
  response.writeHead(502, { 'content-type': 'text/html' })
  response.end('<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>')
}

export function throttled(retryAfter: string): Handler {
  return json({ error: 'too many requests' }, 429, { 'retry-after': retryAfter })
}

/** Announces the whole body, sends half of it, and closes the connection. */
export function cutShort(body: string): Handler {
  return (_, response) => {
    response.writeHead(200, {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
    })
    response.write(body.slice(0, body.length / 2), () => response.destroy())
  }
}

/** Sends the body a character at a time. */
export function drip(body: string, everyMs: number): Handler {
  return async (_, response) => {
    response.writeHead(200, { 'content-type': 'application/json' })
    for (const character of body) {
      if (response.destroyed) return
      response.write(character)
      await sleep(everyMs)
    }
    response.end()
  }
}
