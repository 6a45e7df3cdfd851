import { isInfraError } from '../../core/index.ts'
import { type OutgoingMessage, partitionForKey } from '../../kafka/index.ts'
import { equal, ok, rejects } from '../assert.ts'
import {
  invalid,
  type KafkaCase,
  not,
  notFound,
  numbered,
  read,
  unsupported,
  values,
} from './fixture.ts'

const utf8 = new TextEncoder()

export const producing: KafkaCase[] = [
  {
    name: 'says where each message is stored',
    async run({ kafka, topic }) {
      const name = await topic()
      const { producer } = kafka()
      const first = await producer.send({ topic: name, value: 'a' })
      const second = await producer.send({ topic: name, value: 'b' })
      equal([first.topic, first.partition, first.offset], [name, 0, 0n])
      equal([second.topic, second.partition, second.offset], [name, 0, 1n])
    },
  },
  {
    name: 'to the default topic, unless the message names another',
    async run({ kafka, topic }) {
      const [usual, other] = [await topic(), await topic()]
      const { producer } = kafka({ topic: usual })
      equal((await producer.send({ value: 'a' })).topic, usual)
      equal((await producer.send({ topic: other, value: 'a' })).topic, other)
    },
  },
  {
    name: 'a message without a topic is refused',
    run: async ({ kafka }) => void (await rejects(kafka().producer.send({ value: 'a' }), invalid)),
  },
  {
    name: 'a topic that does not exist',
    async run({ kafka, name }) {
      await rejects(kafka().producer.send({ topic: name(), value: 'a' }), notFound)
    },
  },
  {
    name: 'into the partition that is asked for',
    async run({ kafka, topic }) {
      const name = await topic(3)
      const { producer } = kafka()
      for (const partition of [2, 0, 1]) {
        equal((await producer.send({ topic: name, value: 'a', partition })).partition, partition)
      }
    },
  },
  {
    name: 'a partition that does not exist',
    async run({ kafka, topic }) {
      const name = await topic(2)
      await rejects(kafka().producer.send({ topic: name, value: 'a', partition: 7 }), notFound)
    },
  },
  {
    name: 'a key goes where Kafka’s own clients put it',
    async run({ kafka, topic }) {
      const name = await topic(5)
      const keys = [...numbered(20).map((i) => `device:${i}`), '', 'ключ', '🔑']
      const stored = await kafka().producer.send(
        keys.map((key) => ({ topic: name, key, value: key })),
      )
      equal(
        stored.map(({ partition }) => partition),
        keys.map((key) => partitionForKey(utf8.encode(key), 5)),
      )
    },
  },
  {
    name: 'many messages of one call: one result each, in order',
    async run({ kafka, topic }) {
      const name = await topic()
      const stored = await kafka().producer.send(
        numbered(300).map((value) => ({ topic: name, value })),
      )
      equal(
        stored.map(({ offset }) => offset),
        numbered(300).map(BigInt),
      )
    },
  },
  {
    name: 'no message at all',
    run: async ({ kafka }) => equal(await kafka().producer.send([]), []),
  },
  {
    name: 'the messages of one tick keep their order',
    async run({ kafka, topic, consumer }) {
      const name = await topic()
      const { producer } = kafka({ topic: name })
      const stored = await Promise.all(numbered(100).map((value) => producer.send({ value })))
      equal(
        stored.map(({ offset }) => offset),
        numbered(100).map(BigInt),
      )
      equal(values(await read(consumer(name), 100)), numbered(100))
    },
  },
  {
    name: 'several topics in one call',
    async run({ kafka, topic }) {
      const [a, b] = [await topic(), await topic()]
      const stored = await kafka().producer.send([
        { topic: a, value: '1' },
        { topic: b, value: '2' },
        { topic: a, value: '3' },
      ])
      equal(
        stored.map(({ topic, offset }) => [topic, offset]),
        [
          [a, 0n],
          [b, 0n],
          [a, 1n],
        ],
      )
    },
  },
  {
    name: 'some of one call fail: partial, and the fate of each',
    async run({ kafka, topic, name }) {
      const good = await topic()
      const error = await rejects(
        kafka().producer.send([
          { topic: good, value: '1' },
          { topic: name(), value: '2' },
          { topic: good, value: '3' },
        ]),
        { kind: 'not-found', outcome: 'partial' },
      )
      const items = error.items ?? []
      equal(
        items.map(({ status }) => status),
        ['fulfilled', 'rejected', 'fulfilled'],
      )
      const [, bad] = items
      ok(bad?.status === 'rejected' && bad.reason.kind === 'not-found', 'the second is not found')
    },
  },
  {
    name: 'sendSettled gives what failed in its place',
    async run({ kafka, topic }) {
      const good = await topic()
      const settled = await kafka().producer.sendSettled([
        { topic: good, value: '1', partition: 9 },
        { topic: good, value: '2' },
      ])
      equal(
        settled.map(({ status }) => status),
        ['rejected', 'fulfilled'],
      )
    },
  },
  {
    name: 'a message that fails does not take those of other calls along',
    async run({ kafka, topic, name }) {
      const good = await topic()
      const { producer } = kafka()
      const [first, second] = await Promise.allSettled([
        producer.send({ topic: name(), value: '1' }),
        producer.send({ topic: good, value: '2' }),
      ])
      ok(first.status === 'rejected' && isInfraError(first.reason, 'not-found'), 'the first fails')
      equal(second.status, 'fulfilled')
    },
  },
  {
    name: 'flush resolves when everything before has settled',
    async run({ kafka, topic }) {
      const name = await topic()
      const { producer } = kafka({ topic: name })
      let settled = 0
      const sends = numbered(20).map((value) =>
        producer.send({ value }).then(() => {
          settled++
        }),
      )
      const flushed = await producer.flush().then(
        () => true,
        // In workerd it would wait for other requests.
        (error) => !isInfraError(error, 'unsupported'),
      )
      if (flushed) equal(settled, 20)
      await Promise.all(sends)
    },
  },
  {
    name: 'a message of half a megabyte',
    async run({ kafka, topic, consumer }) {
      const name = await topic()
      const value = 'x'.repeat(500_000)
      await kafka().producer.send({ topic: name, value })
      const [message] = await read(consumer(name), 1)
      ok(message?.value === value, 'it comes back as it was')
    },
  },
  {
    name: 'a message that is too large is refused before anything is sent',
    async run({ kafka, topic }) {
      const name = await topic()
      const { producer } = kafka({ topic: name })
      const value = new Uint8Array(producer.capabilities.maxRequestBytes + 1).fill(120)
      await rejects(producer.send({ value }), invalid)
      equal((await producer.send({ value: 'after' })).offset, 0n)
    },
  },
  {
    name: 'what the types forbid is refused before anything is sent',
    async run({ kafka, topic }) {
      const name = await topic()
      const { producer } = kafka({ topic: name })
      const bad: [string, unknown][] = [
        ['no object', 'text'],
        ['null', null],
        ['no value', { key: 'k' }],
        ['a number for a value', { value: 1 }],
        ['an object for a value', { value: { a: 1 } }],
        ['a number for a key', { value: '', key: 1 }],
        ['a lone surrogate', { value: '\ud800' }],
        ['a lone surrogate in a key', { value: '', key: '\udc00' }],
        ['a field that is not known', { value: '', ttl: 1 }],
        ['an empty topic', { value: '', topic: '' }],
        ['a topic with a space', { value: '', topic: 'a b' }],
        ['a topic of dots', { value: '', topic: '..' }],
        ['a topic of 250 letters', { value: '', topic: 'a'.repeat(250) }],
        ['a partition below 0', { value: '', partition: -1 }],
        ['half a partition', { value: '', partition: 0.5 }],
        ['a partition of 2^31', { value: '', partition: 2 ** 31 }],
        ['no time', { value: '', timestamp: Number.NaN }],
        ['a time that is no date', { value: '', timestamp: new Date('x') }],
        ['a time before 1970', { value: '', timestamp: -1 }],
      ]
      for (const [what, message] of bad) {
        await rejects(producer.send(not<OutgoingMessage>(message)), invalid, what)
      }
      equal((await producer.send({ value: 'after' })).offset, 0n)
    },
  },
  {
    name: 'an option that is not known is refused before anything is sent',
    async run({ kafka, topic }) {
      const { producer } = kafka({ topic: await topic() })
      const options = not<object>({ timeoutMS: 1 })
      await rejects(producer.send({ value: 'a' }, options), invalid)
      await rejects(producer.send([{ value: 'a' }], options), invalid)
      await rejects(producer.sendSettled([{ value: 'a' }], options), invalid)
      equal((await producer.send({ value: 'after' })).offset, 0n)
    },
  },
  {
    name: 'malformed headers are refused before anything is sent',
    needs: ['headers'],
    async run({ kafka, topic }) {
      const { producer } = kafka({ topic: await topic() })
      for (const headers of [[[1, 'a']], ['a'], [['a']], { a: 1 }, 'a: b', [['\ud800', 'a']]]) {
        await rejects(producer.send({ value: '', headers: not(headers) }), invalid, String(headers))
      }
      equal((await producer.send({ value: 'after' })).offset, 0n)
    },
  },
]

export const payloads: KafkaCase[] = [
  {
    name: 'texts come back, of any script',
    async run({ kafka, topic, consumer }) {
      const name = await topic()
      const texts = ['plain', 'Grüße', '日本語', '🎉 \u0000 \n "', '{"a":1}']
      await kafka().producer.send(texts.map((text) => ({ topic: name, key: text, value: text })))
      const messages = await read(consumer(name), texts.length)
      equal(values(messages), texts)
      equal(
        messages.map(({ key }) => key),
        texts,
      )
    },
  },
  {
    name: 'an empty text is not null',
    async run({ kafka, topic, consumer }) {
      const name = await topic()
      await kafka().producer.send({ topic: name, key: '', value: '' })
      const [message] = await read(consumer(name), 1)
      equal([message?.key, message?.value], ['', ''])
      equal(message?.valueBytes, new Uint8Array())
    },
  },
  {
    name: 'no key is null',
    async run({ kafka, topic, consumer }) {
      const name = await topic()
      await kafka().producer.send([
        { topic: name, value: 'a' },
        { topic: name, value: 'b', key: null },
      ])
      const messages = await read(consumer(name), 2)
      equal(
        messages.map(({ key, keyBytes }) => [key, keyBytes]),
        [
          [null, null],
          [null, null],
        ],
      )
    },
  },
  {
    name: 'every byte survives',
    needs: ['bytes'],
    async run({ kafka, topic, consumer }) {
      const name = await topic()
      const bytes = Uint8Array.from({ length: 256 }, (_, i) => i)
      await kafka().producer.send({ topic: name, key: bytes, value: bytes.toReversed() })
      const [message] = await read(consumer(name), 1)
      equal(plain(message?.keyBytes), bytes)
      equal(plain(message?.valueBytes), bytes.toReversed())
    },
  },
  {
    name: 'bytes that are not UTF-8 are refused',
    without: 'bytes',
    async run({ kafka, topic }) {
      const name = await topic()
      const { producer } = kafka({ topic: name })
      await rejects(producer.send({ value: new Uint8Array([255]) }), unsupported)
      await rejects(producer.send({ value: '', key: new Uint8Array([192]) }), unsupported)
      equal((await producer.send({ value: utf8.encode('text') })).offset, 0n)
    },
  },
  {
    name: 'a tombstone',
    needs: ['tombstones'],
    async run({ kafka, topic, consumer }) {
      const name = await topic()
      await kafka().producer.send({ topic: name, key: 'gone', value: null })
      const [message] = await read(consumer(name), 1)
      equal([message?.key, message?.value, message?.valueBytes], ['gone', null, null])
      equal(message?.json(), null)
    },
  },
  {
    name: 'a tombstone is refused',
    without: 'tombstones',
    async run({ kafka, topic }) {
      await rejects(kafka().producer.send({ topic: await topic(), value: null }), unsupported)
    },
  },
  {
    name: 'headers, in order, and those that repeat',
    needs: ['headers', 'consumeMetadata'],
    async run({ kafka, topic, consumer }) {
      const name = await topic()
      await kafka().producer.send([
        { topic: name, value: 'a', headers: { source: 'app', версия: '2' } },
        {
          topic: name,
          value: 'b',
          headers: [
            ['trace', '1'],
            ['trace', utf8.encode('2')],
            ['empty', ''],
          ],
        },
        { topic: name, value: 'c' },
      ])
      const [a, b, c] = await read(consumer(name), 3)
      equal({ ...a?.headers }, { source: 'app', версия: '2' })
      equal({ ...b?.headers }, { trace: '2', empty: '' })
      equal(
        b?.headerList.map(([header, bytes]) => [header, plain(bytes)]),
        [
          ['trace', utf8.encode('1')],
          ['trace', utf8.encode('2')],
          ['empty', new Uint8Array()],
        ],
      )
      equal(c?.headerList, [])
    },
  },
  {
    name: 'bytes in headers',
    needs: ['headers', 'consumeMetadata', 'bytes'],
    async run({ kafka, topic, consumer }) {
      const name = await topic()
      const bytes = new Uint8Array([0, 255, 128])
      await kafka().producer.send({ topic: name, value: '', headers: [['raw', bytes]] })
      const [message] = await read(consumer(name), 1)
      equal(plain(message?.headerList[0]?.[1]), bytes)
    },
  },
  {
    name: 'headers are refused',
    without: 'headers',
    async run({ kafka, topic }) {
      const message = { topic: await topic(), value: '', headers: { a: '1' } }
      await rejects(kafka().producer.send(message), unsupported)
    },
  },
  {
    name: 'a timestamp that is given',
    needs: ['timestamps', 'consumeMetadata'],
    async run({ kafka, topic, consumer }) {
      const name = await topic()
      const { producer } = kafka({ topic: name })
      const at = new Date(Date.now() - 86_400_000)
      await producer.send({ value: 'a', timestamp: at })
      await producer.send({ value: 'b', timestamp: at.getTime() + 1 })
      const messages = await read(consumer(name), 2)
      equal(
        messages.map(({ timestamp }) => timestamp?.getTime()),
        [at.getTime(), at.getTime() + 1],
      )
    },
  },
  {
    name: 'a timestamp is refused',
    without: 'timestamps',
    async run({ kafka, topic }) {
      const message = { topic: await topic(), value: '', timestamp: Date.now() }
      await rejects(kafka().producer.send(message), unsupported)
    },
  },
  {
    name: 'the timestamp is now if none is given',
    needs: ['consumeMetadata'],
    async run({ kafka, topic, consumer }) {
      const name = await topic()
      const before = Date.now()
      await kafka().producer.send({ topic: name, value: 'a' })
      const after = Date.now()
      const [message] = await read(consumer(name), 1)
      const at = message?.timestamp?.getTime() ?? 0
      // The clock may be another machine's.
      ok(at > before - 60_000 && at < after + 60_000, 'it is about now')
    },
  },
  {
    name: 'JSON, and what is none',
    async run({ kafka, topic, consumer }) {
      const name = await topic()
      await kafka().producer.send([
        { topic: name, value: '{"on":true}' },
        { topic: name, value: 'secret{' },
      ])
      const [good, bad] = await read(consumer(name), 2)
      equal(good?.json(), { on: true })
      const error = await rejects(() => bad?.json(), { kind: 'invalid' })
      ok(!error.message.includes('secret'), 'the error does not quote the value')
    },
  },
]

/** A `Buffer` is not the same as a `Uint8Array` to `equal`. */
function plain(bytes: Uint8Array | null | undefined): Uint8Array | null {
  return bytes == null ? null : Uint8Array.from(bytes)
}
