import type { Message, Redis } from '../redis/index.ts'
import { type Answer, type Call, Refusal } from './face.ts'

/**
 * `base64` in the request: channels and messages come as base64, and the same header in the reply says so.
 * An event stream is lines of text, which cannot carry a CR, and separates fields by commas, which names
 * may hold. Not `Upstash-Encoding`, which @upstash/redis also sends here without decoding what comes.
 */
const encodingHeader = 'dualport-encoding'

/** The messages of channels as server-sent events, until the client goes, the engine is lost or the gateway closes. */
export async function subscribe(redis: Redis, call: Call, patterns: boolean): Promise<Answer> {
  const [, ...channels] = call.segments('/redis')
  const encoding = call.request.headers.get(encodingHeader)
  if (encoding !== null && encoding !== 'base64') {
    throw new Refusal('invalid', `${encodingHeader} is not base64`)
  }
  const encode = encoding === null ? String : base64
  const subscription = await redis.subscribe(channels, {
    ...call.options,
    signal: AbortSignal.any([call.request.signal, call.closing]),
    patterns,
  })

  let keepAlive: ReturnType<typeof setInterval>
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      const verb = patterns ? 'psubscribe' : 'subscribe'
      for (const [i, channel] of channels.entries()) {
        controller.enqueue(event(`${verb},${encode(channel)},${i + 1}`))
      }
      keepAlive = setInterval(() => {
        // Not to a reader who does not read.
        if ((controller.desiredSize ?? 0) > 0) controller.enqueue(comment)
      }, call.limits.keepAliveMs)
    },
    async pull(controller) {
      try {
        const next = await subscription.next()
        if (!next.done) {
          controller.enqueue(event(line(next.value, encode)))
          return
        }
      } catch {
        // The engine is lost, and the client learns it by the end of the stream.
      }
      clearInterval(keepAlive)
      controller.close()
    },
    cancel() {
      clearInterval(keepAlive)
      return subscription.close()
    },
  })
  return {
    type: 'text/event-stream',
    body,
    headers: {
      ...(encoding === null ? {} : { [encodingHeader]: encoding }),
      // Proxies that gather replies would hold back the messages.
      'x-accel-buffering': 'no',
    },
  }
}

function line({ channel, pattern, message }: Message, encode: (text: string) => string): string {
  return pattern === undefined
    ? `message,${encode(channel)},${encode(message)}`
    : `pmessage,${encode(pattern)},${encode(channel)},${encode(message)}`
}

const comment = Buffer.from(':\n\n')

/**
 * Lines after the first go out as `data:` without the blank. It means the same to a reader of the format;
 * @upstash/redis takes each `data: ` line for a message of its own, so that a line could forge one.
 */
function event(text: string): Uint8Array {
  const [first, ...rest] = text.split(/\r\n|\r|\n/)
  const more = rest.map((line) => `data:${line.startsWith(' ') ? ' ' : ''}${line}\n`)
  return Buffer.from(`data: ${first}\n${more.join('')}\n`)
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64')
}
