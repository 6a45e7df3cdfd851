import { DriverFailure } from '../../../src/core/index.ts'
import type {
  BulkOperation,
  Document,
  OperationName,
  OperationOf,
  ReplyOf,
  UpdateReply,
  WriteFailure,
} from '../../../src/mongodb/index.ts'

/** The `_id`s are given here, so that they are known whatever becomes of the reply. */
export function requestOf(operation: OperationOf<OperationName>, newId: () => unknown): Document {
  switch (operation.name) {
    case 'insertOne':
      return { document: withId(operation.document, newId) }
    case 'insertMany':
      return { documents: operation.documents.map((document) => withId(document, newId)) }
    case 'bulkWrite':
      return { operations: operation.operations.map((each) => bulkWithId(each, newId)) }
    default:
      return {}
  }
}

function bulkWithId(operation: BulkOperation, newId: () => unknown): BulkOperation {
  if (!('insertOne' in operation)) return operation
  return { insertOne: { document: withId(operation.insertOne.document, newId) } }
}

function withId(document: Document, newId: () => unknown): Document {
  const { _id, ...rest } = document
  return { _id: _id ?? newId(), ...rest }
}

type Readers = {
  readonly [N in OperationName]: (reply: Document, request: OperationOf<N>) => ReplyOf<N>
}

/** Each reply in the words of the protocol. @throws TypeError or DriverFailure for one that is none */
export const readers: Readers = {
  findOne: documentOf,
  insertOne: (_, { document }) => ({ insertedId: document._id }),
  insertMany: (reply, { documents }) => ({
    insertedIds: documents.map(({ _id }) => _id),
    failures: failuresOf(reply),
  }),
  updateOne: updateReply,
  updateMany: updateReply,
  replaceOne: updateReply,
  deleteOne: deleteReply,
  deleteMany: deleteReply,
  findOneAndUpdate: documentOf,
  findOneAndReplace: documentOf,
  findOneAndDelete: documentOf,
  countDocuments: ({ count }) => number(count),
  estimatedDocumentCount: ({ count }) => number(count),
  distinct: ({ values }) => array(values),
  bulkWrite(reply, { operations, ordered }) {
    const failures = failuresOf(reply)
    const failed = new Set(failures.map(({ index }) => index))
    const end = ordered && failures[0] !== undefined ? failures[0].index : Infinity
    const insertedIds: Record<number, unknown> = {}
    for (const [i, operation] of operations.entries()) {
      if ('insertOne' in operation && !failed.has(i) && i < end) {
        insertedIds[i] = operation.insertOne.document._id
      }
    }
    return {
      insertedCount: number(reply.insertedCount),
      matchedCount: number(reply.matchedCount),
      modifiedCount: number(reply.modifiedCount),
      deletedCount: number(reply.deletedCount),
      upsertedCount: number(reply.upsertedCount),
      insertedIds,
      upsertedIds: object(reply.upsertedIds),
      failures,
    }
  },
  createIndex: ({ name }) => string(name),
  listIndexes: ({ indexes }) => array(indexes) as ReplyOf<'listIndexes'>,
}

function documentOf({ document }: Document): Document | null {
  if (document === undefined) throw notDataApi()
  return document === null ? null : object(document)
}

function updateReply(reply: Document): UpdateReply {
  const { upsertedId = null } = reply
  return {
    matchedCount: number(reply.matchedCount),
    modifiedCount: number(reply.modifiedCount),
    upsertedCount: upsertedId === null ? number(reply.upsertedCount ?? 0) : 1,
    upsertedId,
  }
}

function deleteReply({ deletedCount }: Document): { deletedCount: number } {
  return { deletedCount: number(deletedCount) }
}

function failuresOf({ failures = [] }: Document): WriteFailure[] {
  return array(failures).map((failure) => {
    const { index, code, message } = object(failure)
    return {
      index: number(index),
      code: number(code),
      message: typeof message === 'string' ? message : '',
    }
  })
}

/** Counts are whole numbers that a double holds, of whichever type. */
function number(value: unknown): number {
  const plain = typeof value === 'object' && value !== null ? value.valueOf() : value
  if (typeof plain !== 'number' && typeof plain !== 'bigint') throw notDataApi()
  return Number(plain)
}

function string(value: unknown): string {
  if (typeof value !== 'string') throw notDataApi()
  return value
}

function array(value: unknown): unknown[] {
  if (!Array.isArray(value)) throw notDataApi()
  return value
}

function object(value: unknown): Document {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw notDataApi()
  return value as Document
}

export function notDataApi(): DriverFailure {
  return new DriverFailure({ kind: 'internal', detail: 'the reply is not of the protocol' })
}
