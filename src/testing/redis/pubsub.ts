import type { RedisSubscription } from '../../redis/index.ts'
import { equal, ok, rejects } from '../assert.ts'
import type { RedisCase } from './fixture.ts'

async function read(subscription: RedisSubscription, count: number): Promise<string[]> {
  const messages: string[] = []
  for await (const { message } of subscription) if (messages.push(message) === count) break
  return messages
}

export const pubsub: readonly RedisCase[] = [
  {
    name: 'publishing to nobody reaches 0 subscribers',
    async run({ redis, key }) {
      equal(await redis.publish(key(), 'hello'), 0)
    },
  },
  {
    name: 'subscribing is refused as unsupported where it cannot be',
    without: 'subscribe',
    async run({ redis, key }) {
      await rejects(redis.subscribe(key()), { kind: 'unsupported', outcome: 'not-applied' })
    },
  },
  {
    name: 'subscribing by pattern is refused as unsupported where it cannot be',
    without: 'patternSubscribe',
    async run({ redis, key }) {
      await rejects(redis.subscribe(key(), { patterns: true }), { kind: 'unsupported' })
    },
  },
  {
    name: 'what is published after subscribing arrives, with its channel',
    needs: ['subscribe'],
    async run({ redis, key, subscribe }) {
      const subscription = await subscribe(key())
      await redis.publish(key(), 'hello')
      equal(await subscription.next(), {
        done: false,
        value: { channel: key(), message: 'hello' },
      })
    },
  },
  {
    name: 'messages arrive in the order in which they were published',
    needs: ['subscribe'],
    async run({ redis, key, subscribe }) {
      const messages = Array.from({ length: 200 }, (_, i) => `message ${i}`)
      const subscription = await subscribe(key())
      await Promise.all(messages.map((message) => redis.publish(key(), message)))
      equal(await read(subscription, messages.length), messages)
    },
  },
  {
    name: 'any text is a message',
    needs: ['subscribe'],
    async run({ redis, key, subscribe }) {
      const messages = [
        '',
        ' ',
        'two\nlines',
        'a\r\nb\rc\n',
        '\n\ndata: message,x,y\n\n',
        'with, commas, ,',
        'größe 漢字 😀 \u2028',
        '\ufeffmark',
        'before\0after',
        '{"json":true}',
        '12',
        'x'.repeat(100_000),
      ]
      const subscription = await subscribe(key())
      for (const message of messages) await redis.publish(key(), message)
      equal(await read(subscription, messages.length), messages)
    },
  },
  {
    name: 'any text is a channel',
    needs: ['subscribe'],
    async run({ redis, key, subscribe }) {
      for (const name of [
        'a,b,c',
        'with space',
        'größe 😀',
        '../?a=1&b=%2f#',
        '*',
        'a\nb',
        '"\\',
      ]) {
        const subscription = await subscribe(key(name))
        await redis.publish(key(name), 'x,y')
        equal((await subscription.next()).value, { channel: key(name), message: 'x,y' })
      }
    },
  },
  {
    name: 'one subscription may have several channels',
    needs: ['subscribe'],
    async run({ redis, key, subscribe }) {
      const channels = [key('a'), key('b,c'), key('d')]
      const subscription = await subscribe(channels)
      for (const channel of channels.toReversed()) await redis.publish(channel, 'hello')
      for (const channel of channels.toReversed()) {
        equal((await subscription.next()).value, { channel, message: 'hello' })
      }
    },
  },
  {
    name: 'two subscriptions each get every message of their own channel only',
    needs: ['subscribe'],
    async run({ redis, key, subscribe }) {
      const first = await subscribe(key('a'))
      const second = await subscribe(key('a'))
      const other = await subscribe(key('b'))
      await redis.publish(key('a'), '1')
      await redis.publish(key('b'), '2')
      equal((await first.next()).value?.message, '1')
      equal((await second.next()).value?.message, '1')
      equal((await other.next()).value?.message, '2')
    },
  },
  {
    name: 'a pattern gives the messages of every channel that matches, and says so',
    needs: ['patternSubscribe'],
    async run({ redis, key, subscribe }) {
      const pattern = `${key('device')}.*`
      const subscription = await subscribe(pattern, { patterns: true })
      await redis.publish(key('device'), 'no match')
      await redis.publish(key('device.1,2'), 'a,b')
      await redis.publish(key('device.ü'), 'c')
      equal((await subscription.next()).value, {
        channel: key('device.1,2'),
        pattern,
        message: 'a,b',
      })
      equal((await subscription.next()).value, { channel: key('device.ü'), pattern, message: 'c' })
    },
  },
  {
    name: 'close ends the iteration quietly, whoever waits',
    needs: ['subscribe'],
    async run({ redis, key }) {
      const subscription = await redis.subscribe(key())
      const waiting = subscription.next()
      await subscription.close()
      equal(await waiting, { done: true, value: undefined })
      equal(await subscription.next(), { done: true, value: undefined })
      await subscription.close()
    },
  },
  {
    name: 'leaving the loop leaves the channel',
    needs: ['subscribe'],
    async run({ redis, key }) {
      const subscription = await redis.subscribe(key())
      await redis.publish(key(), 'only')
      for await (const { message } of subscription) {
        equal(message, 'only')
        break
      }
      equal(await subscription.next(), { done: true, value: undefined })
    },
  },
  {
    name: 'its signal ends the iteration with an error',
    needs: ['subscribe'],
    async run({ redis, key }) {
      const abort = new AbortController()
      const subscription = await redis.subscribe(key(), { signal: abort.signal })
      const waiting = subscription.next()
      abort.abort()
      await rejects(waiting, { kind: 'aborted' })
      equal(await subscription.next(), { done: true, value: undefined })
    },
  },
  {
    name: 'an aborted signal refuses the subscription',
    needs: ['subscribe'],
    async run({ redis, key }) {
      await rejects(redis.subscribe(key(), { signal: AbortSignal.abort() }), {
        kind: 'aborted',
        outcome: 'not-applied',
      })
    },
  },
  {
    name: 'the deadline of the subscribing does not end the waiting',
    needs: ['subscribe'],
    async run({ redis, key, subscribe }) {
      const subscription = await subscribe(key(), { timeoutMs: 1000 })
      const waiting = subscription.next()
      const early = await Promise.race([
        waiting.then(
          () => true,
          () => true,
        ),
        new Promise<boolean>((resolve) => setTimeout(() => resolve(false), 1200)),
      ])
      ok(!early, 'the wait ended with nothing published')
      await redis.publish(key(), 'late')
      equal((await waiting).value?.message, 'late')
    },
  },
  {
    name: 'closing the client ends the iteration with an error',
    needs: ['subscribe'],
    async run({ create, key }) {
      const client = create()
      const subscription = await client.subscribe(key())
      const waiting = rejects(subscription.next(), { kind: 'closed' })
      await client.close()
      await waiting
    },
  },
]
