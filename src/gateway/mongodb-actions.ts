import { type ItemResult, isInfraError } from '../core/index.ts'
import type {
  BulkReply,
  BulkWrite,
  Collection,
  CreateIndexOptions,
  Document,
  UpdateResult,
  WriteFailure,
} from '../mongodb/index.ts'
import { type Answer, type Call, type Failed, Refusal } from './face.ts'
import { refusalOf } from './mongodb-failure.ts'

/** What a request holds beside its target. The client below checks every value, and refuses unknown options. */
export interface Fields {
  readonly filter: Document
  readonly key: string
  readonly document: Document
  readonly documents: readonly Document[]
  readonly update: Document
  readonly replacement: Document
  readonly operations: readonly BulkWrite<Document>[]
  readonly keys: Readonly<Record<string, 1 | -1>>
  readonly options: CreateIndexOptions
  readonly pipeline: readonly Document[]
  readonly [option: string]: unknown
}

export interface Reply {
  readonly fields: Document
  readonly status?: number
  readonly failedItems?: Answer['failedItems']
}

export type Action = (collection: Collection, fields: Fields, call: Call) => Promise<Reply>

/** What a read-only token may run. */
export const reads: ReadonlyMap<string, Action> = new Map<string, Action>([
  [
    'findOne',
    async (collection, { filter, ...rest }, call) => ({
      fields: { document: await collection.findOne(filter, { ...rest, ...call.options }) },
    }),
  ],
  [
    'countDocuments',
    async (collection, { filter, ...rest }, call) => ({
      fields: { count: await collection.countDocuments(filter, { ...rest, ...call.options }) },
    }),
  ],
  [
    'estimatedDocumentCount',
    async (collection, rest, call) => ({
      fields: { count: await collection.estimatedDocumentCount({ ...rest, ...call.options }) },
    }),
  ],
  [
    'distinct',
    async (collection, { key, filter, ...rest }, call) => ({
      fields: { values: await collection.distinct(key, filter, { ...rest, ...call.options }) },
    }),
  ],
  [
    'listIndexes',
    async (collection, rest, call) => ({
      fields: { indexes: await collection.listIndexes({ ...rest, ...call.options }) },
    }),
  ],
])

export const writes: ReadonlyMap<string, Action> = new Map<string, Action>([
  [
    'insertOne',
    async (collection, { document, ...rest }, call) => {
      const { insertedId } = await collection.insertOne(document, { ...rest, ...call.options })
      return { status: 201, fields: { insertedId } }
    },
  ],
  ['insertMany', insertMany],
  [
    'updateOne',
    async (collection, { filter, update, ...rest }, call) =>
      updated(await collection.updateOne(filter, update, { ...rest, ...call.options })),
  ],
  [
    'updateMany',
    async (collection, { filter, update, ...rest }, call) =>
      updated(await collection.updateMany(filter, update, { ...rest, ...call.options })),
  ],
  [
    'replaceOne',
    async (collection, { filter, replacement, ...rest }, call) =>
      updated(await collection.replaceOne(filter, replacement, { ...rest, ...call.options })),
  ],
  [
    'deleteOne',
    async (collection, { filter, ...rest }, call) => ({
      fields: { ...(await collection.deleteOne(filter, { ...rest, ...call.options })) },
    }),
  ],
  [
    'deleteMany',
    async (collection, { filter, ...rest }, call) => ({
      fields: { ...(await collection.deleteMany(filter, { ...rest, ...call.options })) },
    }),
  ],
  [
    'findOneAndUpdate',
    async (collection, { filter, update, ...rest }, call) => ({
      fields: {
        document: await collection.findOneAndUpdate(filter, update, { ...rest, ...call.options }),
      },
    }),
  ],
  [
    'findOneAndReplace',
    async (collection, { filter, replacement, ...rest }, call) => ({
      fields: {
        document: await collection.findOneAndReplace(filter, replacement, {
          ...rest,
          ...call.options,
        }),
      },
    }),
  ],
  [
    'findOneAndDelete',
    async (collection, { filter, ...rest }, call) => ({
      fields: { document: await collection.findOneAndDelete(filter, { ...rest, ...call.options }) },
    }),
  ],
  ['bulkWrite', bulkWrite],
  [
    'createIndex',
    async (collection, { keys, options, ...rest }, call) => ({
      fields: {
        name: await collection.createIndex(keys, { ...rest, ...options, ...call.options }),
      },
    }),
  ],
])

function updated({ matchedCount, modifiedCount, upsertedCount, upsertedId }: UpdateResult): Reply {
  return {
    fields: {
      matchedCount,
      modifiedCount,
      ...(upsertedCount > 0 && { upsertedCount, upsertedId }),
    },
  }
}

// Several at once --------------------------------------------------------------------------------

/** Request: what was applied of a bulk, and what was not, is told with status 200. */
const partialHeader = 'dualport-partial'

async function insertMany(
  collection: Collection,
  { documents, ...rest }: Fields,
  call: Call,
): Promise<Reply> {
  limit(documents, call)
  try {
    const { insertedIds } = await collection.insertMany(documents, { ...rest, ...call.options })
    return { status: 201, fields: { insertedIds } }
  } catch (error) {
    const { items, failures, failedItems } = partly(error, call)
    const insertedIds = items.flatMap((item) => (item.status === 'fulfilled' ? [item.value] : []))
    return { failedItems, fields: { insertedIds, failures } }
  }
}

async function bulkWrite(
  collection: Collection,
  { operations, ...rest }: Fields,
  call: Call,
): Promise<Reply> {
  limit(operations, call)
  try {
    return { fields: { ...(await collection.bulkWrite(operations, { ...rest, ...call.options })) } }
  } catch (error) {
    const { reply, failures, failedItems } = partly(error, call)
    return { failedItems, fields: { ...(reply as BulkReply), failures } }
  }
}

/** @throws Refusal */
function limit(several: readonly unknown[], { limits }: Call): void {
  if (Array.isArray(several) && several.length > limits.writes) {
    throw new Refusal('invalid', `there are more than ${limits.writes} writes`, 413)
  }
}

/** One write that the engine refused. Its words are left out but for the index of a duplicate: they quote values. */
type Refused = Omit<WriteFailure, 'message'> & Partial<Pick<WriteFailure, 'message'>>

/** A bulk of which the engine refused some. */
interface PartialReply {
  readonly items: readonly ItemResult[]
  /** The engine's, with its counts. */
  readonly reply: unknown
  readonly failures: readonly Refused[]
  readonly failedItems: ReadonlyMap<number, Failed>
}

/** @throws the error, if it is not that, or the client does not ask for it */
function partly(error: unknown, { request }: Call): PartialReply {
  if (!isInfraError(error) || error.items === undefined) throw error
  if (request.headers.get(partialHeader) !== '1') throw error
  const { items, native } = error
  const failures: Refused[] = []
  const failedItems = new Map<number, Failed>()
  for (const [index, item] of items.entries()) {
    if (item.status === 'fulfilled') continue
    failedItems.set(index, item.reason)
    const refusal = refusalOf(item.reason)
    // The others were not tried.
    if (refusal === undefined) continue
    const { code, index: name } = refusal
    failures.push({ index, code, ...(name !== undefined && { message: duplicateKey(name) }) })
  }
  return { items, failures, failedItems, reply: (native as Error).cause }
}

/** As MongoDB words it, but for the key. */
function duplicateKey(index: string): string {
  return `E11000 duplicate key error collection: - index: ${index} dup key:`
}
