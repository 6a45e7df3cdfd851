import type {
  AnyBulkWriteOperation,
  ClientSession,
  Collection,
  Document,
  MongoBulkWriteError,
  ObjectId,
  UpdateResult,
} from 'mongodb'
import { DriverFailure } from '../../../src/core/index.ts'
import type {
  OperationName,
  OperationOf,
  ReplyOf,
  UpdateReply,
  WriteFailure,
} from '../../../src/mongodb/index.ts'
import { explain } from './failures.ts'
import type { Flight } from './flight.ts'

interface Run {
  readonly collection: Collection
  readonly flight: Flight
  readonly session: ClientSession | undefined
  readonly newId: () => ObjectId
}

type Handlers = {
  readonly [N in OperationName]: (operation: OperationOf<N>, run: Run) => Promise<ReplyOf<N>>
}

/** Each operation by the driver's own method. */
export const handlers: Handlers = {
  findOne({ name, database, collection: _, filter, ...options }, { collection, flight, session }) {
    return collection.findOne(filter, { ...options, ...flight.bounded(session) } as object)
  },
  async insertOne({ document }, { collection, flight, session, newId }) {
    const { insertedId } = await collection.insertOne(
      withId(document, newId),
      flight.options(session),
    )
    return { insertedId }
  },
  async insertMany({ documents, ordered }, { collection, flight, session, newId }) {
    const whole = documents.map((document) => withId(document, newId))
    const insertedIds = whole.map((document) => document._id)
    const options = { ordered, ...flight.options(session) }
    return { insertedIds, failures: await failuresOf(collection.insertMany(whole, options)) }
  },
  async updateOne(operation, { collection, flight, session }) {
    const { name, database, collection: _, filter, update, ...options } = operation
    const all = { ...options, ...flight.options(session) } as object
    return updateReply(await collection.updateOne(filter, update as Document, all))
  },
  async updateMany(operation, { collection, flight, session }) {
    const { name, database, collection: _, filter, update, ...options } = operation
    const all = { ...options, ...flight.options(session) } as object
    return updateReply(await collection.updateMany(filter, update as Document, all))
  },
  async replaceOne(operation, { collection, flight, session }) {
    const { name, database, collection: _, filter, replacement, ...options } = operation
    const all = { ...options, ...flight.options(session) } as object
    return updateReply((await collection.replaceOne(filter, replacement, all)) as UpdateResult)
  },
  async deleteOne(operation, { collection, flight, session }) {
    const { name, database, collection: _, filter, ...options } = operation
    const all = { ...options, ...flight.options(session) } as object
    return { deletedCount: (await collection.deleteOne(filter, all)).deletedCount }
  },
  async deleteMany(operation, { collection, flight, session }) {
    const { name, database, collection: _, filter, ...options } = operation
    const all = { ...options, ...flight.options(session) } as object
    return { deletedCount: (await collection.deleteMany(filter, all)).deletedCount }
  },
  findOneAndUpdate(operation, { collection, flight, session }) {
    const { name, database, collection: _, filter, update, ...options } = operation
    const all = { ...options, ...flight.bounded(session) } as object
    return collection.findOneAndUpdate(filter, update as Document, all)
  },
  findOneAndReplace(operation, { collection, flight, session }) {
    const { name, database, collection: _, filter, replacement, ...options } = operation
    const all = { ...options, ...flight.bounded(session) } as object
    return collection.findOneAndReplace(filter, replacement, all)
  },
  findOneAndDelete(operation, { collection, flight, session }) {
    const { name, database, collection: _, filter, ...options } = operation
    return collection.findOneAndDelete(filter, { ...options, ...flight.bounded(session) } as object)
  },
  async countDocuments(operation, { collection, flight, session }) {
    const { name, database, collection: _, filter, limit, ...options } = operation
    // The driver would send a limit of 0, which the server refuses here: it means none everywhere else.
    const all = { ...options, ...(limit && { limit }), ...flight.bounded(session) } as object
    return Number(await collection.countDocuments(filter, all))
  },
  async estimatedDocumentCount(_, { collection, flight, session }) {
    return Number(await collection.estimatedDocumentCount(flight.bounded(session)))
  },
  distinct(operation, { collection, flight, session }) {
    const { name, database, collection: _, key, filter, ...options } = operation
    // Without `maxTimeMS`: FerretDB refuses it here.
    const all = { ...options, ...flight.options(session) } as object
    return collection.distinct(key, filter, all)
  },
  async bulkWrite({ operations, ordered }, { collection, flight, session, newId }) {
    const insertedIds: Record<number, unknown> = {}
    const native = operations.map((operation, i) => {
      if (!('insertOne' in operation)) return operation
      const document = withId(operation.insertOne.document, newId)
      insertedIds[i] = document._id
      return { insertOne: { document } }
    }) as AnyBulkWriteOperation[]
    const options = { ordered, ...flight.options(session) }
    try {
      return bulkReply(await collection.bulkWrite(native, options), insertedIds, [])
    } catch (error) {
      const failures = writeErrorsOf(error)
      const { result } = error as MongoBulkWriteError
      return bulkReply(result, result.insertedIds, failures)
    }
  },
  createIndex({ keys, options }, { collection, flight, session }) {
    return collection.createIndex(keys as Record<string, 1 | -1>, {
      ...(options as object),
      ...flight.options(session),
    })
  },
  async listIndexes(_, { collection, flight, session }) {
    try {
      const indexes = await collection.listIndexes(flight.options(session)).toArray()
      return indexes.map(({ v, ns, ...index }) => index as ReplyOf<'listIndexes'>[number])
    } catch (error) {
      if ((error as { code?: unknown }).code === namespaceNotFound) return []
      throw error
    }
  },
}

const namespaceNotFound = 26

/** Not the caller's object: the driver would write the `_id` into it. */
function withId(document: Document, newId: () => ObjectId): Document & { _id: ObjectId } {
  const { _id, ...rest } = document
  return { _id: _id ?? newId(), ...rest }
}

function updateReply(result: UpdateResult): UpdateReply {
  const { matchedCount, modifiedCount, upsertedCount, upsertedId } = result
  return { matchedCount, modifiedCount, upsertedCount, upsertedId }
}

function bulkReply(
  result: Omit<ReplyOf<'bulkWrite'>, 'insertedIds' | 'failures'>,
  insertedIds: Readonly<Record<number, unknown>>,
  failures: readonly WriteFailure[],
): ReplyOf<'bulkWrite'> {
  const { insertedCount, matchedCount, modifiedCount, deletedCount, upsertedCount } = result
  const counts = { insertedCount, matchedCount, modifiedCount, deletedCount, upsertedCount }
  return { ...counts, insertedIds, upsertedIds: { ...result.upsertedIds }, failures }
}

async function failuresOf(work: Promise<unknown>): Promise<WriteFailure[]> {
  try {
    await work
    return []
  } catch (error) {
    return writeErrorsOf(error)
  }
}

/** @throws what ended the bulk, if it is not that the server refused some of the writes */
function writeErrorsOf(error: unknown): WriteFailure[] {
  const { name, writeErrors } = error as { name?: unknown; writeErrors?: unknown }
  if (name !== 'MongoBulkWriteError') throw error
  const all = [writeErrors ?? []].flat() as { index: number; code: number; errmsg?: string }[]
  if (all.length === 0) throw endOf(error as MongoBulkWriteError)
  return all.map(({ index, code, errmsg = '' }) => ({ index, code, message: errmsg }))
}

/** The driver passes off whatever ends a bulk, a lost connection too, as what the server said of its writes. */
function endOf(error: MongoBulkWriteError): unknown {
  const { insertedCount, modifiedCount, deletedCount, upsertedCount } = error
  const errorResponse: unknown = error.errorResponse
  if (!(errorResponse instanceof Error)) return error
  if (insertedCount + modifiedCount + deletedCount + upsertedCount === 0) return errorResponse
  // It went in several commands, and those before this one are applied, whatever it says of itself.
  const failure =
    errorResponse instanceof DriverFailure
      ? errorResponse.failure
      : explain(errorResponse, 'bulkWrite')
  return new DriverFailure({ ...failure, outcome: 'unknown' }, { cause: errorResponse })
}
