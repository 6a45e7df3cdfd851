import { once } from 'node:events'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { TLSSocket } from 'node:tls'
import type { Connection as Database } from './database.ts'
import * as errors from './errors.ts'
import { SqlServerError } from './errors.ts'
import {
  encryption,
  type Login,
  readFederationToken,
  readLogin,
  readPrelogin,
  writePrelogin,
} from './login.ts'
import { type Message, Messages, packetType, toPackets } from './packets.ts'
import { Prepared } from './procedures.ts'
import { attentionReply, Reply } from './reply.ts'
import { body, readBulk, readCalls, readTransaction } from './requests.ts'
import type { Server } from './server.ts'
import { Attention, Session, Stopped } from './session.ts'
import { secure } from './tls.ts'
import { collation } from './wire.ts'

/** One request, as those who look at it or stop it see it. */
export interface TdsRequest {
  readonly kind: 'batch' | 'rpc' | 'begin' | 'commit' | 'rollback' | 'save' | 'bulk'
  /** The text, or the name of the procedure. */
  readonly sql: string
  readonly spid: number
  /** Cuts the connection, hard. */
  drop(): void
}

class Closed extends Error {}

/** A client's connection. */
export class Connection {
  readonly spid: number
  /** Settled once it is closed, and nothing of it runs any more. */
  readonly left: Promise<void>
  readonly #server: Server
  readonly #socket: Socket
  #stream: Duplex
  #login: Login | undefined
  #session: Session | undefined
  #database: Database | undefined
  #prepared: Prepared | undefined
  #packetSize = 4096
  #packetId = 0
  #federationAsked = false
  #running: AbortController | undefined
  #last: Promise<void> = Promise.resolve()
  #attention = false

  constructor(server: Server, socket: Socket, spid: number) {
    this.#server = server
    this.#socket = socket
    this.#stream = socket
    this.spid = spid
    socket.setNoDelay(true)
    socket.on('error', () => {})
    this.left = new Promise((resolve, reject) => {
      socket.once('close', () => this.#leave().then(resolve, reject))
    })
    socket.once('data', (first: Buffer) => this.#start(first))
  }

  get session(): Session | undefined {
    return this.#session
  }

  /** As a machine that is gone: with RST. */
  drop(): void {
    // One that is ending already cannot be reset: Node.js would leave it open for good.
    if (this.#socket.writableEnded) this.#socket.destroy()
    else this.#socket.resetAndDestroy()
  }

  /** TDS 8 begins with TLS, and TDS 7 with a packet that says whether there is to be any. */
  #start(first: Buffer): void {
    const { secureContext } = this.#server
    const strict = first[0] === 0x16
    this.#socket.pause()
    if (strict && secureContext !== undefined) {
      const ALPNProtocols = ['tds/8.0']
      const tls = new TLSSocket(this.#socket, { isServer: true, secureContext, ALPNProtocols })
      tls.on('error', () => this.drop())
      this.#stream = tls
    }
    this.#listen(this.#stream)
    this.#socket.unshift(first)
    this.#socket.resume()
  }

  #listen(stream: Duplex): void {
    const messages = new Messages((message) => this.#receive(message))
    stream.on('data', (chunk: Buffer) => {
      try {
        messages.feed(chunk)
      } catch {
        this.drop()
      }
    })
  }

  #receive(message: Message): void {
    if (message.type === packetType.attention) {
      this.#server.counts.attentions++
      this.#attention = true
      if (this.#running === undefined) {
        this.#last = this.#last.then(() => this.#acknowledge())
        return
      }
      this.#running.abort()
      this.#database?.interrupt()
      return
    }
    const running = new AbortController()
    this.#running = running
    this.#last = this.#last.then(async () => {
      try {
        await this.#handle(message, running.signal)
      } catch (error) {
        if (error instanceof Closed) return
        this.#server.report(error)
        this.drop()
      } finally {
        if (this.#running === running) this.#running = undefined
      }
      await this.#acknowledge()
    })
  }

  async #acknowledge(): Promise<void> {
    if (!this.#attention) return
    this.#attention = false
    await this.#send(attentionReply(), true).catch(() => {})
  }

  async #leave(): Promise<void> {
    this.#running?.abort()
    this.#database?.interrupt()
    this.#server.forget(this)
    await this.#last
    if (this.#database !== undefined) await this.#server.release(this.#database)
  }

  async #send(payload: Buffer, last: boolean, signal?: AbortSignal): Promise<void> {
    if (this.#stream.destroyed) throw new Closed()
    const size = this.#packetSize
    const packets = toPackets(packetType.reply, payload, {
      ...{ size, last, spid: this.spid, id: this.#packetId + 1 },
    })
    this.#packetId = last ? 0 : this.#packetId + packets.length / 2
    if (this.#stream.write(Buffer.concat(packets))) return
    const given = new AbortController()
    const close = () => given.abort()
    this.#stream.once('close', close)
    signal?.addEventListener('abort', close)
    try {
      await once(this.#stream, 'drain', { signal: given.signal })
    } catch {
      throw this.#stream.destroyed ? new Closed() : new Attention()
    } finally {
      this.#stream.off('close', close)
      signal?.removeEventListener('abort', close)
    }
  }

  async #handle(message: Message, signal: AbortSignal): Promise<void> {
    switch (message.type) {
      case packetType.prelogin:
        return this.#greet(message.payload)
      case packetType.login:
        this.#login = readLogin(message.payload)
        return this.#logIn(this.#login)
      case packetType.federation:
        if (this.#login === undefined || !this.#federationAsked) break
        return this.#logIn({
          ...this.#login,
          federation: { token: readFederationToken(message.payload) },
        })
    }
    if (this.#session === undefined) throw new Closed()
    return this.#request(message, this.#session, signal)
  }

  // Before the first request ------------------------------------------------------------------------

  async #greet(payload: Buffer): Promise<void> {
    const asked = readPrelogin(payload)
    const { tls, secureContext } = this.#server
    // Under TLS already there is all the encryption that there can be.
    const answer = this.#stream === this.#socket ? agreed(tls, asked.encryption) : encryption.off
    await this.#send(writePrelogin(answer, asked.federation && this.#server.federates), true)
    if (answer !== encryption.on && answer !== encryption.required) return
    this.#socket.removeAllListeners('data')
    this.#stream = secure(this.#socket, secureContext!)
    this.#listen(this.#stream)
  }

  async #logIn(login: Login): Promise<void> {
    const reply = new Reply((payload, last) => this.#send(payload, last), false)
    if (login.federation === 'ask') {
      this.#federationAsked = true
      reply.federation('https://login.microsoftonline.com/tests', 'https://database.windows.net/')
      return reply.ask()
    }
    this.#server.counts.logins++
    const refused = this.#server.refuses(login)
    if (refused.length > 0) {
      for (const error of refused) reply.error(error)
      reply.done({ failed: true })
      await reply.end()
      this.#stream.end()
      return
    }
    const user = login.federation === undefined ? login.user : 'token'
    const { database } = this.#server
    this.#database = this.#server.connect()
    await this.#database.ask({ do: 'open', database, user })
    this.#session = new Session(this.spid, user, this.#server, this.#database)
    this.#prepared = new Prepared(this.#session)
    const size = Math.min(Math.max(login.packetSize || 4096, 512), 32_767)
    reply.changedText(1, database, 'master')
    reply.changed(7, collation, Buffer.alloc(0))
    reply.changedText(2, 'us_english', '')
    reply.loggedIn()
    reply.changedText(4, String(size), '4096')
    reply.features([
      ...(login.federation === undefined ? [] : [[0x02, Buffer.alloc(0)] as const]),
      ...(login.utf8 ? [[0x0a, Buffer.of(1)] as const] : []),
    ])
    await reply.end()
    this.#packetSize = size
  }

  // Requests ---------------------------------------------------------------------------------------

  async #request(message: Message, session: Session, signal: AbortSignal): Promise<void> {
    const described = this.#describe(message)
    let first = true
    const send = async (payload: Buffer, last: boolean) => {
      if (first) {
        first = false
        await this.#server.hooked('reply', described)
      }
      await this.#send(payload, last, signal)
    }
    const reply = new Reply(send, message.type === packetType.rpc)
    try {
      await this.#server.hooked('execute', described)
      if (this.#stream.destroyed) throw new Closed()
      if (message.reset) await session.reset(reply)
      if (message.reset) this.#prepared!.clear()
      if (!message.ignored) await this.#run(message, described, session, reply, signal)
    } catch (error) {
      if (error instanceof Attention) await session.interrupted(reply)
      else if (error instanceof SqlServerError) await session.fail(error, reply).catch(() => {})
      else if (!(error instanceof Stopped)) throw error
      if (message.type === packetType.rpc) reply.doneProcedure({ failed: true }, false)
    }
    await reply.end().catch((error) => {
      // There is no room: what is left waits in the socket.
      if (!(error instanceof Attention)) throw error
    })
  }

  async #run(
    message: Message,
    described: TdsRequest,
    session: Session,
    reply: Reply,
    signal: AbortSignal,
  ): Promise<void> {
    const { sql, kind } = described
    const failure = this.#server.fails(described)
    if (failure !== undefined) throw failure
    switch (message.type) {
      case packetType.batch:
        session.bulk = undefined
        return session.run(sql, new Map(), reply, signal)
      case packetType.rpc: {
        const calls = readCalls(message.payload)
        for (const [at, call] of calls.entries()) {
          await this.#prepared!.call(call, this.#server, reply, signal, at < calls.length - 1)
        }
        return
      }
      case packetType.transaction: {
        const { name, isolation } = readTransaction(message.payload)
        if (kind === 'begin') await session.begin(name, isolation, reply)
        else if (kind === 'commit') await session.commit(reply)
        else if (kind === 'rollback') await session.rollback(name, reply, signal)
        else if (kind === 'save') await session.save(name ?? '', signal)
        reply.done()
        return
      }
      case packetType.bulk: {
        if (session.bulk === undefined) throw errors.syntax('bulk')
        const { table, columns } = session.bulk
        session.bulk = undefined
        session.command = 'BULK INSERT'
        const rows = readBulk(message.payload)
        try {
          const count = await session.insert(table, columns, rows, signal)
          reply.done({ count })
        } finally {
          session.command = undefined
        }
      }
    }
  }

  #describe(message: Message): TdsRequest {
    const { payload } = message
    const own = { spid: this.spid, drop: () => this.drop() }
    if (message.ignored) return { kind: 'batch', sql: '', ...own }
    switch (message.type) {
      case packetType.rpc: {
        const [call] = readCalls(payload)
        const text = call?.parameters.find(({ name }) => name === 'statement' || name === 'stmt')
        const sql = String(text?.value ?? call?.procedure ?? '')
        this.#server.texts.push(sql)
        return { kind: 'rpc', sql, ...own }
      }
      case packetType.transaction: {
        const { kind, name } = readTransaction(payload)
        return { kind, sql: name ?? '', ...own }
      }
      case packetType.bulk:
        return { kind: 'bulk', sql: this.#session?.bulk?.table ?? '', ...own }
      default: {
        const sql = body(payload).rest().toString('utf16le')
        this.#server.texts.push(sql)
        return { kind: 'batch', sql, ...own }
      }
    }
  }
}

function agreed(tls: boolean | 'required', asked: number): number {
  if (tls === false) return encryption.notSupported
  if (asked === encryption.on || asked === encryption.required) return encryption.on
  return tls === 'required' ? encryption.required : encryption.notSupported
}
