import type { Attempt, Driver, Pool } from '../core/index.ts'
import type { Collation, Document, Hint, Pipeline } from './types.ts'

/*
 * Operations are plain data: JavaScript objects, arrays, strings, numbers and booleans, with these values.
 * The same on every transport, in either direction:
 *
 * | BSON            | comes back as                | goes out from                                          |
 * |-----------------|------------------------------|--------------------------------------------------------|
 * | double          | number                       | number beyond 32 bits or with a fraction, -0, `Double` |
 * | int32           | number                       | whole number of 32 bits, `Int32`                       |
 * | int64           | bigint                       | bigint, `Long`                                         |
 * | decimal128      | `Decimal128`                 | `Decimal128`                                           |
 * | string          | string                       | string (well-formed)                                   |
 * | bool, null      | boolean, null                | boolean, null                                          |
 * | date            | Date                         | Date                                                   |
 * | objectId        | `ObjectId`                   | `ObjectId`                                             |
 * | binary          | `Binary`, `UUID` (subtype 4) | `Binary`, `UUID`, Uint8Array (subtype 0)               |
 * | regex           | `BSONRegExp`                 | `BSONRegExp`, RegExp with no flags but i and m         |
 * | timestamp       | `Timestamp`                  | `Timestamp`                                            |
 * | minKey, maxKey  | `MinKey`, `MaxKey`           | `MinKey`, `MaxKey`                                     |
 * | javascript      | `Code`                       | `Code`                                                 |
 * | object, array   | object, array                | object, array                                          |
 *
 * A regular expression comes back as `BSONRegExp` because JavaScript cannot hold every one that a server can.
 * A field that is `undefined` is not written.
 */

export interface Namespace {
  readonly database: string
  readonly collection: string
}

interface Query extends Namespace {
  readonly filter: Document
  readonly collation?: Collation
  readonly hint?: Hint
}

interface Selection extends Query {
  readonly projection?: Document
  readonly sort?: Document
  readonly skip?: number
}

interface Update extends Query {
  readonly update: Document | Pipeline
  readonly upsert?: boolean
  readonly arrayFilters?: readonly Document[]
}

interface Replacement extends Query {
  readonly replacement: Document
  readonly upsert?: boolean
}

interface FindOneAnd extends Query {
  readonly projection?: Document
  readonly sort?: Document
}

type ReturnDocument = 'before' | 'after'

/** One write of a `bulkWrite`. */
export type BulkOperation =
  | { readonly insertOne: { readonly document: Document } }
  | { readonly updateOne: Omit<Update, keyof Namespace> }
  | { readonly updateMany: Omit<Update, keyof Namespace> }
  | { readonly replaceOne: Omit<Replacement, keyof Namespace> }
  | { readonly deleteOne: Omit<Query, keyof Namespace> }
  | { readonly deleteMany: Omit<Query, keyof Namespace> }

export interface IndexOptions {
  /** Default: the keys and directions, `name_1_age_-1`. */
  readonly name?: string
  readonly unique?: boolean
  readonly sparse?: boolean
  /** Of a date field: the document goes so many seconds after it. */
  readonly expireAfterSeconds?: number
  readonly partialFilterExpression?: Document
  readonly collation?: Collation
}

/** An index as the server describes it. */
export interface IndexDescription extends IndexOptions {
  readonly name: string
  readonly key: Document
}

/** One write of several that the server refused. */
export interface WriteFailure {
  /** Its place in the request. */
  readonly index: number
  /** The server's number: 11000 for a duplicate key. */
  readonly code: number
  /** In the server's words, which may quote keys and values. */
  readonly message: string
}

export interface UpdateReply {
  readonly matchedCount: number
  readonly modifiedCount: number
  readonly upsertedCount: number
  /** `null` if nothing was inserted. */
  readonly upsertedId: unknown
}

export interface InsertManyReply {
  /** The `_id` of each document of the request, whether or not it was inserted. */
  readonly insertedIds: readonly unknown[]
  /** Of an ordered insert at most one: what comes after it was not tried. */
  readonly failures: readonly WriteFailure[]
}

export interface BulkReply {
  readonly insertedCount: number
  readonly matchedCount: number
  readonly modifiedCount: number
  readonly deletedCount: number
  readonly upsertedCount: number
  /** By the index of the operation: of what was inserted. */
  readonly insertedIds: Readonly<Record<number, unknown>>
  readonly upsertedIds: Readonly<Record<number, unknown>>
  readonly failures: readonly WriteFailure[]
}

/** Everything that has one reply. A document without an `_id` is given an ObjectId by the adapter, as its first field. */
export interface Operations {
  findOne: { request: Selection; reply: Document | null }
  insertOne: {
    request: Namespace & { readonly document: Document }
    reply: { insertedId: unknown }
  }
  insertMany: {
    request: Namespace & { readonly documents: readonly Document[]; readonly ordered: boolean }
    reply: InsertManyReply
  }
  updateOne: { request: Update; reply: UpdateReply }
  updateMany: { request: Update; reply: UpdateReply }
  replaceOne: { request: Replacement; reply: UpdateReply }
  deleteOne: { request: Query; reply: { deletedCount: number } }
  deleteMany: { request: Query; reply: { deletedCount: number } }
  findOneAndUpdate: {
    request: FindOneAnd & Update & { readonly returnDocument: ReturnDocument }
    reply: Document | null
  }
  findOneAndReplace: {
    request: FindOneAnd & Replacement & { readonly returnDocument: ReturnDocument }
    reply: Document | null
  }
  findOneAndDelete: { request: FindOneAnd; reply: Document | null }
  countDocuments: {
    request: Query & { readonly skip?: number; readonly limit?: number }
    reply: number
  }
  estimatedDocumentCount: { request: Namespace; reply: number }
  distinct: { request: Query & { readonly key: string }; reply: unknown[] }
  bulkWrite: {
    request: Namespace & {
      readonly operations: readonly BulkOperation[]
      readonly ordered: boolean
    }
    reply: BulkReply
  }
  createIndex: {
    request: Namespace & { readonly keys: Document; readonly options: IndexOptions }
    /** The index's name. */
    reply: string
  }
  /** Empty for a collection that does not exist. */
  listIndexes: { request: Namespace; reply: IndexDescription[] }
}

export type OperationName = keyof Operations
/** An operation as data: `{ name: 'findOne', database, collection, filter, ... }`. */
export type OperationOf<N extends OperationName> = {
  [K in OperationName]: { readonly name: K } & Operations[K]['request']
}[N]
export type ReplyOf<N extends OperationName> = Operations[N]['reply']

/** What has any number of documents as its reply. */
export type CursorOperation =
  | ({ readonly name: 'find'; readonly limit?: number; readonly batchSize: number } & Selection)
  | ({
      readonly name: 'aggregate'
      readonly pipeline: Pipeline
      readonly batchSize: number
      readonly allowDiskUse?: boolean
      readonly collation?: Collation
      readonly hint?: Hint
    } & Namespace)

export interface Page {
  readonly documents: Document[]
  /** Where the rest is; `undefined` if this was all. */
  readonly rest: ServerCursor | undefined
}

/** A cursor that is open on the server. One call at a time. */
export interface ServerCursor {
  /**
   * The next page, which may be empty. It cannot be asked for twice: whatever it fails with, or once it is
   * cancelled, the cursor is gone, and the adapter closes it on the server where it still can.
   */
  next(attempt: Attempt): Promise<Page>
  /** Frees it on the server. */
  close(attempt: Attempt): Promise<void>
}

/** Where operations run: at the server, or within one transaction. */
export interface Executor {
  /**
   * Runs one operation. Rejects with an error that `classify` knows; a bulk operation of which some writes
   * were refused resolves, with `failures`.
   */
  execute<N extends OperationName>(operation: OperationOf<N>, attempt: Attempt): Promise<ReplyOf<N>>
  /** Runs a query as far as its first page. */
  open(operation: CursorOperation, attempt: Attempt): Promise<Page>
}

/** A transaction under way. Its operations run one after another. */
export interface ServerTransaction extends Executor {
  /** May be called again after a failure that leaves open what became of the commit. */
  commit(attempt: Attempt): Promise<void>
  /** Undoes everything, and frees what the transaction holds. Also called after a failure. */
  abort(attempt: Attempt): Promise<void>
}

/** What an adapter or the server behind it cannot do. Data: the conformance suite and the docs read it. */
export interface MongoCapabilities {
  /** `withTransaction`. The server must be a replica set or sharded. */
  readonly transactions: boolean
  /** A find or aggregate gives everything, page by page. Without: the first page, and no more. */
  readonly cursors: boolean
  /** `createIndex` and `listIndexes`. */
  readonly indexes: boolean
  /**
   * What the Data API as Atlas had it lacks: `replaceOne`, `findOneAnd...`, `countDocuments`,
   * `estimatedDocumentCount`, `distinct`, `bulkWrite`.
   */
  readonly extended: boolean
  /** Every BSON type survives. Without: replies are plain JSON, and an ObjectId is a string. */
  readonly exactTypes: boolean
  /** A write that the server refuses is an error. Without: it may pass for a success. */
  readonly writeErrors: boolean
  /** A caller who stops waiting also stops the operation, where it can still be stopped. */
  readonly cancel: boolean
  /** The largest document, in bytes of BSON. */
  readonly maxDocumentBytes: number
}

/** The seam that MongoDB adapters implement. */
export interface MongoDriver extends Driver, Executor {
  readonly capabilities: MongoCapabilities
  /** The database that the application works in: of the URL, say. `test` if nobody names one. */
  readonly database: string
  /** `{ ping: 1 }` on `database`. */
  ping(attempt: Attempt): Promise<void>
  /** Whether the server would take writes now: `hello`'s `isWritablePrimary`. */
  isWritable(attempt: Attempt): Promise<boolean>
  /** Begins a transaction. Only where `capabilities.transactions` says so. */
  begin?(attempt: Attempt): Promise<ServerTransaction>
  /** Of adapters that hold connections. */
  readonly pool?: Pool
}
