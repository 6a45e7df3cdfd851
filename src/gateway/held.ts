import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { type Call, type Limits, Refusal } from './face.ts'

/**
 * Why an ID is of no use: what it named is `gone`; it lives `elsewhere`, in another process of the gateway; this
 * token was never given it, or it is made up (`forged`).
 */
export type Lost = 'gone' | 'elsewhere' | 'forged'

/** One kind of thing that clients leave at the gateway between their requests. */
export interface Kind<T> {
  /** For messages: `cursor`. */
  readonly noun: string
  /** How many there may be at a time. */
  most(limits: Limits): number
  /** How long one stays without a request. Milliseconds. */
  idleMs(limits: Limits): number
  /**
   * Frees what it holds at the engine, whatever it is doing: its client asks for it, has not come back in time, or
   * the gateway closes. Never rejects. May be called again if the value was in use meanwhile.
   */
  end(value: T): Promise<void>
  /** In the words of the protocol. */
  refuse(message: string, why: Lost): Refusal
}

interface Entry<T> {
  readonly value: T
  readonly idleMs: number
  /** A request works with it. */
  busy: boolean
  timer: ReturnType<typeof setTimeout> | undefined
  ending: Promise<void> | undefined
}

/**
 * What clients have left at the gateway: cursors half read, transactions under way. Each has an ID, which is for
 * the token that it was given to: `process.random.signature`. Several gateways that share a token tell by it what
 * lives in another one from what somebody has made up.
 */
export class Held<T> {
  readonly #kind: Kind<T>
  readonly #entries = new Map<string, Entry<T>>()
  readonly #process = randomBytes(6).toString('base64url')
  #closed = false

  constructor(kind: Kind<T>) {
    this.#kind = kind
  }

  /** `close` has been called: nothing more can be left here. */
  get closed(): boolean {
    return this.#closed
  }

  /** @throws Refusal if there is no room for one more, so that the engine need not be asked. */
  check({ limits }: Call): void {
    const most = this.#kind.most(limits)
    if (this.#closed) throw new Refusal('unavailable', 'the gateway is closing')
    if (this.#entries.size < most) return
    throw new Refusal('throttled', `${most} ${this.#kind.noun}s are open already`)
  }

  /**
   * Keeps a value, in use by this request until `release`, `remove` or `end`. Gives its ID.
   * @throws Refusal if there is no room, or no gateway any more; then the value is ended
   */
  async hold(value: T, call: Call): Promise<string> {
    try {
      this.check(call)
    } catch (error) {
      await this.#kind.end(value)
      throw error
    }
    const name = `${this.#process}.${randomBytes(18).toString('base64url')}`
    const id = `${name}.${this.#sign(name, call).toString('base64url')}`
    const idleMs = this.#kind.idleMs(call.limits)
    this.#entries.set(id, { value, idleMs, busy: true, timer: undefined, ending: undefined })
    return id
  }

  /**
   * The value, in use by this request until `release`, `remove` or `end`.
   * @throws Refusal for an ID that is of no use, and while another request works with it (`conflict`)
   */
  take(id: string, call: Call): T {
    const entry = this.#find(id, call)
    if (entry.ending !== undefined) throw this.#gone()
    if (entry.busy) {
      throw new Refusal('conflict', `another request works with the ${this.#kind.noun}`)
    }
    entry.busy = true
    clearTimeout(entry.timer)
    return entry.value
  }

  /** The request is done with it. From here on, the client has `idleMs` to come back. */
  release(id: string): void {
    const entry = this.#entries.get(id)
    if (entry === undefined || entry.ending !== undefined) return
    entry.busy = false
    entry.timer = setTimeout(() => void this.#end(id, entry), entry.idleMs)
    entry.timer.unref()
  }

  /** It has come to its own end, and holds nothing any more. */
  remove(id: string): void {
    const entry = this.#entries.get(id)
    if (entry === undefined) return
    clearTimeout(entry.timer)
    this.#entries.delete(id)
  }

  /** Frees it, in use or not. Resolves when that is done, whoever began it. */
  async end(id: string): Promise<void> {
    const entry = this.#entries.get(id)
    if (entry !== undefined) await this.#end(id, entry)
  }

  /**
   * As `end`, asked for by the client. In use, it is only ended if that is what `busy` says.
   * @throws Refusal for an ID that is of no use
   */
  async endBy(id: string, call: Call, busy: 'refuse' | 'end' = 'refuse'): Promise<void> {
    if (busy === 'refuse') this.take(id, call)
    await this.#end(id, this.#find(id, call))
  }

  /** Ends all of them, in use or not. */
  close(): void {
    this.#closed = true
    for (const [id, entry] of this.#entries) void this.#end(id, entry)
  }

  #end(id: string, entry: Entry<T>): Promise<void> {
    clearTimeout(entry.timer)
    entry.ending ??= this.#kind.end(entry.value).finally(() => this.#entries.delete(id))
    return entry.ending
  }

  /** @throws Refusal */
  #find(id: string, call: Call): Entry<T> {
    const [, name = '', process, signature = ''] =
      /^(([\w-]{8})\.[\w-]{24})\.([\w-]{22})$/.exec(id) ?? []
    const given = Buffer.from(signature, 'base64url')
    const signed = this.#sign(name, call)
    const { noun } = this.#kind
    if (given.length !== signed.length || !timingSafeEqual(given, signed)) {
      throw this.#kind.refuse(`no such ${noun} was given to this token`, 'forged')
    }
    if (process !== this.#process) {
      const message = `the ${noun} lives in another gateway process: the requests for one ${noun} must go to one process`
      throw this.#kind.refuse(message, 'elsewhere')
    }
    const entry = this.#entries.get(id)
    if (entry === undefined) throw this.#gone()
    return entry
  }

  #gone(): Refusal {
    const { noun, refuse } = this.#kind
    return refuse(`the ${noun} is gone: it came to its end, or was unused for too long`, 'gone')
  }

  /** For this kind of thing, so that the ID of one is not taken for another's. */
  #sign(name: string, call: Call): Buffer {
    const text = `${this.#kind.noun} ${name}`
    return createHmac('sha256', call.key).update(text).digest().subarray(0, 16)
  }
}
