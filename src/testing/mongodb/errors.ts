import { type InfraError, isInfraError } from '../../core/index.ts'
import type { Collection, MongoDB } from '../../mongodb/index.ts'
import { equal, ok, rejects } from '../assert.ts'
import { type MongoCase, not } from './fixture.ts'

export const errors: readonly MongoCase[] = [
  {
    name: 'what the server refuses is MONGODB_INVALID, not applied and not worth a retry',
    async run({ mongodb, collection }) {
      await collection().insertOne({ _id: 1, a: 'text' })
      const error = await rejects(
        collection<{ _id: number; a: number }>().updateOne({ _id: 1 }, { $inc: { a: 1 } }),
        { kind: 'invalid', outcome: 'not-applied', retryable: false },
      )
      equal(error.code, 'MONGODB_INVALID')
      equal(error.component, 'mongodb')
      equal(error.adapter, mongodb.adapter)
      equal(error.operation, 'updateOne')
    },
  },
  {
    name: 'what an adapter lacks is unsupported before anything is sent: the extended operations',
    without: 'extended',
    async run({ collection }) {
      const all = collection()
      const calls: Record<string, () => unknown> = {
        replaceOne: () => all.replaceOne({}, { a: 1 }),
        findOneAndUpdate: () => all.findOneAndUpdate({}, not({ $set: { a: 1 } })),
        findOneAndReplace: () => all.findOneAndReplace({}, { a: 1 }),
        findOneAndDelete: () => all.findOneAndDelete({}),
        countDocuments: () => all.countDocuments(),
        estimatedDocumentCount: () => all.estimatedDocumentCount(),
        distinct: () => all.distinct('a'),
        bulkWrite: () => all.bulkWrite([{ deleteOne: { filter: {} } }]),
      }
      const unsupported = { kind: 'unsupported', outcome: 'not-applied', retryable: false } as const
      for (const [what, call] of Object.entries(calls)) await rejects(call, unsupported, what)
    },
  },
  {
    name: 'what an adapter lacks is unsupported before anything is sent: indexes',
    without: 'indexes',
    async run({ collection }) {
      const unsupported = { kind: 'unsupported', outcome: 'not-applied', retryable: false } as const
      await rejects(collection().createIndex({ a: 1 }), unsupported)
      await rejects(collection().listIndexes(), unsupported)
    },
  },
  {
    name: 'errors are Errors that any copy of the library recognises',
    async run({ collection }) {
      const error = await rejects(collection().findOne({ a: undefined }), { kind: 'invalid' })
      equal(error.name, 'InfraError')
      equal(error instanceof Error, true, 'instanceof Error')
      equal([isInfraError(error, 'invalid'), isInfraError(error, 'timeout')], [true, false])
    },
  },
  {
    name: 'after every kind of failure the next call works',
    async run({ collection }) {
      const all = collection<{ _id: number; a?: unknown }>()
      await all.insertOne({ _id: 1, a: 'text' })
      for (const fail of [
        () => all.insertOne({ _id: 1 }),
        () => all.updateOne({}, { $inc: { 'a.b': 1 } }),
        () => all.findOne({ a: { $in: 5 } as never }),
        () => all.findOne({}, { signal: AbortSignal.abort() }),
        () => all.insertMany([{ _id: 1 }, { _id: 1 }], { ordered: false }),
      ]) {
        await failureOf(fail, 'the call')
        equal<unknown>(await all.findOne({ _id: 1 }), { _id: 1, a: 'text' })
      }
    },
  },
]

/** Nothing in it needs escaping, whatever prints it. */
const marker = 'a-secret-7-that-nothing-may-show'

function printed(error: InfraError): string {
  const parts = [
    error.message,
    error.stack,
    String(error),
    JSON.stringify(error),
    JSON.stringify({ ...error }),
  ]
  for (let cause = error.cause; cause instanceof Error; cause = cause.cause) {
    parts.push(cause.message, cause.stack, JSON.stringify({ ...cause }))
  }
  for (const item of error.items ?? []) {
    if (item.status === 'rejected') parts.push(printed(item.reason))
  }
  return parts.join('\n')
}

interface Secretive {
  readonly _id: string
  readonly [field: string]: unknown
}

/** Calls that fail, each in another way and with the marker wherever data can be. */
function failing(mongodb: MongoDB, all: Collection<Secretive>): Record<string, () => unknown> {
  const text = { _id: marker }
  const document = { _id: marker, [marker]: marker }
  return {
    'a duplicate': () => all.insertOne(document),
    'a duplicate of several': () => all.insertMany([document, document]),
    'a duplicate out of order': () =>
      all.insertMany([document, document, { _id: `${marker}-2` }], { ordered: false }),
    'a duplicate of bulkWrite': () => all.bulkWrite([{ insertOne: { document } }]),
    'the wrong type': () => all.updateOne(text, { $inc: not({ text: 1 }) }),
    'the wrong type of several': () => all.updateMany(text, { $push: not({ text: marker }) }),
    'another _id': () => all.updateOne(text, { $set: { _id: `${marker}-3` } }),
    'a filter that the server refuses': () => all.findOne({ [marker]: { $in: marker } as never }),
    'an operator': () => all.findOne({ a: { [`$${marker}`]: marker } as never }),
    'a stage': () => all.aggregate([{ [`$${marker}`]: marker }]).toArray(),
    'a value of the wrong type': () => all.insertOne({ _id: marker, [marker]: () => marker }),
    'a key with a dot': () => all.insertOne({ _id: marker, [`${marker}.a`]: marker }),
    'an option with a secret name': () => all.findOne({}, { [marker]: marker } as never),
    'a correlation ID with spaces': () => all.findOne({}, { correlationId: `${marker} ${marker}` }),
    'a lone surrogate': () => all.insertOne({ _id: `${marker}\ud800` }),
    'an aborted call': () =>
      all.insertOne(document, { signal: AbortSignal.abort(new Error(marker)) }),
    'a database': () => mongodb.database(`${marker} $`),
    'a collection': () => mongodb.database().collection(`$${marker}`),
    'a hint': () => all.findOne({}, { hint: not(['a', marker]) }),
    'a sort': () => all.find({}, { sort: { [`$${marker}`]: not(marker) } }).next(),
  }
}

async function failureOf(work: () => unknown, what: string): Promise<InfraError> {
  try {
    await work()
  } catch (error) {
    if (isInfraError(error)) return error
    throw new Error(`${what}: not an InfraError: ${error}`)
  }
  throw new Error(`${what}: it did not fail`)
}

export const secrecy: readonly MongoCase[] = [
  {
    name: 'no error shows a field or a value',
    async run({ mongodb, collection }) {
      const all = collection<Secretive>()
      await all.insertOne({ _id: marker, text: marker })
      for (const [what, work] of Object.entries(failing(mongodb, all))) {
        const text = printed(await failureOf(work, what))
        ok(!text.includes(marker), `${what}: the error shows it:\n${text}`)
      }
    },
  },
  {
    name: 'no log record, metric or span shows a field or a value',
    async run({ create }) {
      const seen: unknown[] = []
      const note = (...items: unknown[]) => {
        seen.push(items)
      }
      const instrument = (...items: unknown[]) => {
        note(...items)
        return note
      }
      const mongodb = create({
        logSuccess: true,
        logger: { debug: note, info: note, warn: note, error: note },
        metrics: { histogram: instrument, counter: instrument, gauge: instrument },
        tracer: {
          startSpan(...items) {
            note(...items)
            return { end: note }
          },
        },
      })
      const all = mongodb.database().collection<Secretive>(`dualport-test-${crypto.randomUUID()}`)
      await all.insertOne({ _id: marker, text: marker })
      for (const [what, work] of Object.entries(failing(mongodb, all))) await failureOf(work, what)
      await all.deleteMany({})
      const text = JSON.stringify(seen)
      ok(text.includes('operation_failed'), 'nothing was logged')
      ok(!text.includes(marker), `it shows: ...${text.slice(text.indexOf(marker) - 200)}`)
    },
  },
]
