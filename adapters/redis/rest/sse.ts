import { DriverFailure } from '../../../src/core/index.ts'
import type { Message, Subscription } from '../../../src/redis/index.ts'
import { textFromBase64 } from './codec.ts'

/** dualport's gateway sends a comment every 15 s: without one for three times as long, the stream is dead. */
const silenceMs = 45_000
/** A longer line is not one of this protocol's, whose messages are bounded. */
const maxLine = 64 * 1024 * 1024

/** The messages of a `text/event-stream` reply (WHATWG HTML, "Server-sent events"), read as they are asked for. */
export class SseSubscription implements Subscription {
  readonly #lines: AsyncGenerator<string, void, undefined>
  readonly #signal: AbortSignal
  readonly #abort: () => void
  readonly #channels: readonly string[]
  readonly #base64: boolean

  /**
   * `alive`: the server shows that it is alive, and channels and messages come as base64. `signal` is that
   * of the request, which `abort` fires: to end it is to close the subscription.
   */
  constructor(
    body: ReadableStream<Uint8Array>,
    channels: readonly string[],
    alive: boolean,
    signal: AbortSignal,
    abort: () => void,
  ) {
    this.#lines = lines(body, alive ? silenceMs : undefined)
    this.#channels = channels
    this.#base64 = alive
    this.#signal = signal
    this.#abort = abort
  }

  /** Resolves when every channel is confirmed. */
  async confirmed(): Promise<void> {
    let left = this.#channels.length
    while (left > 0) {
      const event = await this.#event()
      if (/^p?subscribe,/.test(event)) left--
    }
  }

  async next(): Promise<Message> {
    for (;;) {
      const message = this.#parse(await this.#event())
      if (message !== undefined) return message
    }
  }

  async close(): Promise<void> {
    this.#abort()
  }

  /** The data of the next event. */
  async #event(): Promise<string> {
    const data: string[] = []
    try {
      for (;;) {
        const { value: line, done } = await this.#lines.next()
        if (done) break
        if (line === '') {
          if (data.length > 0) return data.join('\n')
        } else if (line.startsWith('data:')) {
          data.push(line.slice(line.startsWith('data: ') ? 6 : 5))
        }
      }
    } catch (error) {
      if (!this.#signal.aborted) throw error instanceof DriverFailure ? error : cut()
    }
    if (!this.#signal.aborted) throw cut()
    throw new DriverFailure({ kind: 'closed', detail: 'the subscription is closed' })
  }

  #parse(event: string): Message | undefined {
    const [kind = '', ...fields] = event.split(',')
    if (kind === 'message') {
      if (this.#base64) {
        const [channel = '', message = ''] = fields.map(textFromBase64)
        return { channel, message }
      }
      // Without base64 a comma may be part of a name: it is one of the channels that were asked for.
      const rest = fields.join(',')
      const channel = this.#channels.find((name) => rest.startsWith(`${name},`)) ?? fields[0] ?? ''
      return { channel, message: rest.slice(channel.length + 1) }
    }
    if (kind !== 'pmessage') return undefined
    if (this.#base64) {
      const [pattern, channel = '', message = ''] = fields.map(textFromBase64)
      return { pattern, channel, message }
    }
    const rest = fields.join(',')
    const pattern = this.#channels.find((name) => rest.startsWith(`${name},`)) ?? fields[0] ?? ''
    const [channel = '', ...message] = rest.slice(pattern.length + 1).split(',')
    return { pattern, channel, message: message.join(',') }
  }
}

function cut(): DriverFailure {
  return new DriverFailure({ kind: 'unavailable', detail: 'the subscription was cut' })
}

/** Lines end in LF, CR LF or CR. */
async function* lines(
  body: ReadableStream<Uint8Array>,
  silence: number | undefined,
): AsyncGenerator<string, void, undefined> {
  const reader = body.pipeThrough(new TextDecoderStream() as never as Utf8Stream).getReader()
  let rest = ''
  for (;;) {
    const { value, done } = await within(silence, reader.read())
    if (done) return
    // A CR at the end of a chunk may be half of a CR LF.
    const parts = (rest + value).split(/\r\n|\n|\r(?!$)/)
    rest = parts.pop() as string
    if (rest.length > maxLine) throw new DriverFailure({ kind: 'internal' })
    yield* parts
  }
}

type Utf8Stream = ReadableWritablePair<string, Uint8Array>

async function within<T>(ms: number | undefined, work: Promise<T>): Promise<T> {
  if (ms === undefined) return work
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(cut()), ms)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
