import { type CallOptions, DriverFailure, type ItemResult, type Operation } from '../core/index.ts'
import { Cursor, type Query } from './cursor.ts'
import { invalid } from './documents.ts'
import type {
  BulkOperation,
  BulkReply,
  IndexDescription,
  InsertManyReply,
  Namespace,
  OperationName,
  OperationOf,
  Page,
  ReplyOf,
  UpdateReply,
  WriteFailure,
} from './driver.ts'
import { classifyServerError, ServerError } from './errors.ts'
import {
  type AggregateOptions,
  type BulkWriteOptions,
  type CountOptions,
  type CreateIndexOptions,
  type DeleteOptions,
  type DistinctOptions,
  type FindOneAndDeleteOptions,
  type FindOneAndReplaceOptions,
  type FindOneAndUpdateOptions,
  type FindOneOptions,
  type FindOptions,
  type InsertManyOptions,
  type OptionName,
  type ReplaceOptions,
  taken,
  type UpdateOptions,
} from './options.ts'
import type { Scope } from './scope.ts'
import type {
  Document,
  Filter,
  IdOf,
  OptionalId,
  Pipeline,
  UpdateFilter,
  WithId,
  WithoutId,
} from './types.ts'

export interface InsertOneResult<T = Document> {
  readonly insertedId: IdOf<T>
}

export interface InsertManyResult<T = Document> {
  readonly insertedCount: number
  /** In the order of the documents. */
  readonly insertedIds: readonly IdOf<T>[]
}

export interface UpdateResult<T = Document> extends Omit<UpdateReply, 'upsertedId'> {
  readonly upsertedId: IdOf<T> | null
}

export interface DeleteResult {
  readonly deletedCount: number
}

export type BulkWriteResult = Omit<BulkReply, 'failures'>

/** One write of a `bulkWrite`: `{ updateOne: { filter, update } }`. */
export type BulkWrite<T, Allowed extends string = never> =
  | { readonly insertOne: { readonly document: OptionalId<T> } }
  | { readonly updateOne: BulkUpdate<T, Allowed> }
  | { readonly updateMany: BulkUpdate<T, Allowed> }
  | {
      readonly replaceOne: BulkDelete<T, Allowed> & {
        readonly replacement: WithoutId<T>
        readonly upsert?: boolean
      }
    }
  | { readonly deleteOne: BulkDelete<T, Allowed> }
  | { readonly deleteMany: BulkDelete<T, Allowed> }

type BulkDelete<T, Allowed extends string> = {
  readonly filter: Filter<T, Allowed>
} & Pick<DeleteOptions, 'collation' | 'hint'>

type BulkUpdate<T, Allowed extends string> = BulkDelete<T, Allowed> & {
  readonly update: UpdateFilter<T>
} & Pick<UpdateOptions, 'upsert' | 'arrayFilters'>

const read = { write: false, idempotent: true }
/** Repeated, it would give another reply: 0 deleted, a duplicate key. */
const write = { write: true, idempotent: false }

/** The operations that run as they are: one constant for each, shared by all calls. */
const kinds: Readonly<Record<OperationName, Omit<Operation, 'name'>>> = {
  findOne: read,
  countDocuments: read,
  estimatedDocumentCount: read,
  distinct: read,
  listIndexes: read,
  insertOne: write,
  insertMany: write,
  updateOne: write,
  updateMany: write,
  replaceOne: write,
  deleteOne: write,
  deleteMany: write,
  findOneAndUpdate: write,
  findOneAndReplace: write,
  findOneAndDelete: write,
  bulkWrite: write,
  // The same index twice is no error, and gives the same name.
  createIndex: { write: true, idempotent: true },
}
const operations = Object.fromEntries(
  Object.entries(kinds).map(([name, kind]) => [name, { name, ...kind }]),
) as { readonly [N in OperationName]: Operation<ReplyOf<N>> }

const find: Operation<Page> = { name: 'find', ...read }
const aggregate: Operation<Page> = { name: 'aggregate', ...read }
const aggregateInto: Operation<Page> = { name: 'aggregate', ...write }

/** What the Data API as Atlas had it lacks. */
const extended: ReadonlySet<OperationName> = new Set<OperationName>([
  'replaceOne',
  'findOneAndUpdate',
  'findOneAndReplace',
  'findOneAndDelete',
  'countDocuments',
  'estimatedDocumentCount',
  'distinct',
  'bulkWrite',
])

const names = (text: string) => new Set(text.split(' ') as OptionName[])
const accepts = {
  findOne: names('collation hint projection sort skip'),
  find: names('collation hint projection sort skip limit batchSize'),
  aggregate: names('collation hint batchSize allowDiskUse'),
  update: names('collation hint upsert arrayFilters'),
  replace: names('collation hint upsert'),
  query: names('collation hint'),
  findOneAndDelete: names('collation hint projection sort'),
  findOneAndReplace: names('collation hint projection sort upsert returnDocument'),
  findOneAndUpdate: names('collation hint projection sort upsert returnDocument arrayFilters'),
  many: names('ordered'),
  count: names('collation hint skip limit'),
  index: names('name unique sparse expireAfterSeconds partialFilterExpression collation'),
  none: new Set<OptionName>(),
}

const defaultBatchSize = 1000

/**
 * The documents of one collection. Every operation takes `{ signal, timeoutMs, correlationId }` beside
 * MongoDB's options, last, and rejects with an `InfraError` only: kind `invalid`, before anything is sent, for
 * bad input; `conflict` for a duplicate key or a write conflict. Reads and `createIndex` are repeated after a
 * failure that passes; a write only if nothing can have been applied.
 */
export class Collection<T extends object = Document, Allowed extends string = never> {
  readonly #scope: Scope
  readonly #namespace: Namespace

  /** @internal */
  constructor(scope: Scope, namespace: Namespace) {
    this.#scope = scope
    this.#namespace = namespace
  }

  get name(): string {
    return this.#namespace.collection
  }

  /** What matches, page by page. `R` is what a projection leaves of it. */
  find<R = WithId<T>>(filter: Filter<T, Allowed> = {}, options?: FindOptions<T>): Cursor<R> {
    return new Cursor<R>(
      this.#scope,
      'find',
      (): Query => ({
        operation: find,
        request: {
          ...this.#query('find', filter, options, accepts.find),
          batchSize: options?.batchSize ?? defaultBatchSize,
        },
      }),
      options,
    )
  }

  /** `null` if there is none. */
  findOne<R = WithId<T>>(
    filter: Filter<T, Allowed> = {},
    options?: FindOneOptions<T>,
  ): Promise<R | null> {
    return this.#run('findOne', options, () =>
      this.#query('findOne', filter, options, accepts.findOne),
    ) as Promise<R | null>
  }

  /** An `_id` that is missing is made here, in the first place; the document that is passed is left alone. */
  insertOne(document: OptionalId<T>, options?: CallOptions): Promise<InsertOneResult<T>> {
    return this.#run('insertOne', options, () => {
      taken(options, accepts.none)
      this.#scope.checker.document(document, 'the document')
      return { name: 'insertOne', ...this.#namespace, document: document as Document }
    }) as Promise<InsertOneResult<T>>
  }

  /**
   * @throws InfraError whose `items` say of each document what became of it, if the server refused some:
   *   `outcome` is `partial` if others were inserted.
   */
  insertMany(
    documents: readonly OptionalId<T>[],
    options?: InsertManyOptions,
  ): Promise<InsertManyResult<T>> {
    const ordered = options?.ordered ?? true
    const operation: Operation<InsertManyResult<T>> = {
      name: 'insertMany',
      ...write,
      decode: (reply: InsertManyReply) => {
        const ids = reply.insertedIds as IdOf<T>[]
        if (reply.failures.length > 0) throw this.#failed(reply, ids, () => 'insertOne', ordered)
        return { insertedCount: ids.length, insertedIds: ids }
      },
    }
    return this.#run(
      'insertMany',
      options,
      () => {
        taken(options, accepts.many)
        if (!Array.isArray(documents)) throw invalid('the documents are not an array')
        if (documents.length === 0) throw invalid('there is no document')
        for (const document of documents) this.#scope.checker.document(document, 'a document')
        return {
          name: 'insertMany',
          ...this.#namespace,
          documents: documents as readonly Document[],
          ordered,
        }
      },
      operation,
    )
  }

  updateOne(
    filter: Filter<T, Allowed>,
    update: UpdateFilter<T>,
    options?: UpdateOptions,
  ): Promise<UpdateResult<T>> {
    return this.#update('updateOne', filter, update, options)
  }

  /** When it fails midway, what it has changed stays changed, and `outcome` is `unknown`. */
  updateMany(
    filter: Filter<T, Allowed>,
    update: UpdateFilter<T>,
    options?: UpdateOptions,
  ): Promise<UpdateResult<T>> {
    return this.#update('updateMany', filter, update, options)
  }

  replaceOne(
    filter: Filter<T, Allowed>,
    replacement: WithoutId<T>,
    options?: ReplaceOptions,
  ): Promise<UpdateResult<T>> {
    return this.#run('replaceOne', options, () => ({
      ...this.#query('replaceOne', filter, options, accepts.replace),
      replacement: this.#replacement(replacement),
    })) as Promise<UpdateResult<T>>
  }

  deleteOne(filter: Filter<T, Allowed>, options?: DeleteOptions): Promise<DeleteResult> {
    return this.#run('deleteOne', options, () =>
      this.#query('deleteOne', filter, options, accepts.query),
    )
  }

  /** When it fails midway, what it has deleted stays deleted, and `outcome` is `unknown`. */
  deleteMany(filter: Filter<T, Allowed>, options?: DeleteOptions): Promise<DeleteResult> {
    return this.#run('deleteMany', options, () =>
      this.#query('deleteMany', filter, options, accepts.query),
    )
  }

  /** The document as it was before, or with `returnDocument: 'after'` as it is now; `null` if there is none. */
  findOneAndUpdate<R = WithId<T>>(
    filter: Filter<T, Allowed>,
    update: UpdateFilter<T>,
    options?: FindOneAndUpdateOptions<T>,
  ): Promise<R | null> {
    return this.#run('findOneAndUpdate', options, () => {
      this.#scope.checker.update(update)
      return {
        ...this.#query('findOneAndUpdate', filter, options, accepts.findOneAndUpdate),
        update: update as Document | Pipeline,
        returnDocument: options?.returnDocument ?? 'before',
      }
    }) as Promise<R | null>
  }

  findOneAndReplace<R = WithId<T>>(
    filter: Filter<T, Allowed>,
    replacement: WithoutId<T>,
    options?: FindOneAndReplaceOptions<T>,
  ): Promise<R | null> {
    return this.#run('findOneAndReplace', options, () => ({
      ...this.#query('findOneAndReplace', filter, options, accepts.findOneAndReplace),
      replacement: this.#replacement(replacement),
      returnDocument: options?.returnDocument ?? 'before',
    })) as Promise<R | null>
  }

  findOneAndDelete<R = WithId<T>>(
    filter: Filter<T, Allowed>,
    options?: FindOneAndDeleteOptions<T>,
  ): Promise<R | null> {
    return this.#run('findOneAndDelete', options, () =>
      this.#query('findOneAndDelete', filter, options, accepts.findOneAndDelete),
    ) as Promise<R | null>
  }

  /** One that ends in `$out` or `$merge` is a write: it is never repeated. */
  aggregate<R = Document>(pipeline: Pipeline, options?: AggregateOptions): Cursor<R> {
    return new Cursor<R>(
      this.#scope,
      'aggregate',
      (): Query => {
        this.#scope.checker.pipeline(pipeline, 'the pipeline')
        const last = pipeline.at(-1)
        const writes = last !== undefined && ('$out' in last || '$merge' in last)
        return {
          operation: writes ? aggregateInto : aggregate,
          request: {
            name: 'aggregate',
            ...this.#namespace,
            pipeline,
            ...this.#options(options, accepts.aggregate),
            batchSize: options?.batchSize ?? defaultBatchSize,
          },
        }
      },
      options,
    )
  }

  countDocuments(filter: Filter<T, Allowed> = {}, options?: CountOptions): Promise<number> {
    return this.#run('countDocuments', options, () =>
      this.#query('countDocuments', filter, options, accepts.count),
    )
  }

  /** By the collection's metadata: fast, and wrong while documents come and go. */
  estimatedDocumentCount(options?: CallOptions): Promise<number> {
    return this.#run('estimatedDocumentCount', options, () => {
      taken(options, accepts.none)
      return { name: 'estimatedDocumentCount', ...this.#namespace }
    })
  }

  /** The different values of a field; those of an array count one by one. All in one reply of at most 16 MB. */
  distinct<K extends keyof WithId<T> & string>(
    key: K,
    filter?: Filter<T, Allowed>,
    options?: DistinctOptions,
  ): Promise<(WithId<T>[K] extends readonly (infer E)[] ? E : WithId<T>[K])[]>
  distinct<V = unknown>(
    key: string,
    filter?: Filter<T, Allowed>,
    options?: DistinctOptions,
  ): Promise<V[]>
  distinct(
    key: string,
    filter: Filter<T, Allowed> = {},
    options?: DistinctOptions,
  ): Promise<unknown[]> {
    return this.#run('distinct', options, () => {
      if (typeof key !== 'string' || key === '') throw invalid('the key is not a field name')
      return { ...this.#query('distinct', filter, options, accepts.query), key }
    })
  }

  /**
   * Several writes in one request, in order unless `ordered` is `false`.
   * @throws InfraError whose `items` say of each write what became of it, if the server refused some:
   *   `outcome` is `partial` if others were applied.
   */
  bulkWrite(
    writes: readonly BulkWrite<T, Allowed>[],
    options?: BulkWriteOptions,
  ): Promise<BulkWriteResult> {
    const ordered = options?.ordered ?? true
    const operation: Operation<BulkWriteResult> = {
      name: 'bulkWrite',
      ...write,
      decode: (reply: BulkReply) => {
        const { failures, ...result } = reply
        if (failures.length === 0) return result
        const { insertedIds, upsertedIds } = result
        const ids = writes.map((_, i) => insertedIds[i] ?? upsertedIds[i])
        const nameOf = (i: number) => Object.keys(writes[i] as object)[0] as string
        throw this.#failed(reply, ids, nameOf, ordered)
      },
    }
    return this.#run(
      'bulkWrite',
      options,
      () => {
        taken(options, accepts.many)
        if (!Array.isArray(writes)) throw invalid('the writes are not an array')
        if (writes.length === 0) throw invalid('there is no write')
        return {
          name: 'bulkWrite',
          ...this.#namespace,
          operations: writes.map((one) => this.#bulkOperation(one as Document)),
          ordered,
        }
      },
      operation,
    )
  }

  /** Gives the index's name. The same index again is no error; another one of the same name is a `conflict`. */
  createIndex(
    keys: Readonly<Record<string, 1 | -1 | 'text' | 'hashed' | '2d' | '2dsphere'>>,
    options?: CreateIndexOptions,
  ): Promise<string> {
    return this.#run('createIndex', options, () => {
      this.#scope.checker.expression(keys, 'the keys')
      if (Object.keys(keys).length === 0) throw invalid('the keys are empty')
      const settings = this.#options(options, accepts.index)
      return { name: 'createIndex', ...this.#namespace, keys, options: settings }
    })
  }

  /** Empty if there is no such collection. */
  listIndexes(options?: CallOptions): Promise<IndexDescription[]> {
    return this.#run('listIndexes', options, () => {
      taken(options, accepts.none)
      return { name: 'listIndexes', ...this.#namespace }
    })
  }

  #update(
    name: 'updateOne' | 'updateMany',
    filter: Filter<T, Allowed>,
    update: UpdateFilter<T>,
    options: UpdateOptions | undefined,
  ): Promise<UpdateResult<T>> {
    return this.#run(name, options, () => {
      this.#scope.checker.update(update)
      return {
        ...this.#query(name, filter, options, accepts.update),
        update: update as Document | Pipeline,
      }
    }) as Promise<UpdateResult<T>>
  }

  #replacement(replacement: unknown): Document {
    this.#scope.checker.replacement(replacement)
    return replacement as Document
  }

  #bulkOperation(one: Document): BulkOperation {
    const [name, ...others] = Object.keys(one ?? {})
    const item = one?.[name as string] as Document | undefined
    if (others.length > 0 || typeof item !== 'object' || item === null) {
      throw invalid('a write is not one of insertOne, updateOne and their like')
    }
    const { checker } = this.#scope
    const { document, filter, update, replacement, ...options } = item
    const settings = (accepted: ReadonlySet<OptionName>) => {
      checker.filter(filter)
      return { filter: filter as Document, ...this.#options(options, accepted) }
    }
    switch (name) {
      case 'insertOne':
        checker.document(document, 'a document')
        taken(options, accepts.none)
        return { insertOne: { document: document as Document } }
      case 'updateOne':
      case 'updateMany': {
        checker.update(update)
        const request = { ...settings(accepts.update), update: update as Document | Pipeline }
        return name === 'updateOne' ? { updateOne: request } : { updateMany: request }
      }
      case 'replaceOne':
        return {
          replaceOne: {
            ...settings(accepts.replace),
            replacement: this.#replacement(replacement),
          },
        }
      case 'deleteOne':
        return { deleteOne: settings(accepts.query) }
      case 'deleteMany':
        return { deleteMany: settings(accepts.query) }
      default:
        throw invalid('a write is not one of insertOne, updateOne and their like')
    }
  }

  #query<N extends string>(
    name: N,
    filter: unknown,
    options: object | undefined,
    accepted: ReadonlySet<OptionName>,
  ): Namespace & { name: N; filter: Document } {
    this.#scope.checker.filter(filter)
    const { database, collection } = this.#namespace
    const settings = this.#options(options, accepted)
    return { name, database, collection, filter: filter as Document, ...settings }
  }

  /** The options that go to the server, with what they hold checked as well. */
  #options(options: object | undefined, accepted: ReadonlySet<OptionName>): Document {
    const settings = taken(options, accepted)
    const { checker } = this.#scope
    for (const name in settings) {
      const value = settings[name]
      if (name === 'arrayFilters') {
        for (const filter of value as unknown[]) checker.filter(filter, 'a filter of arrayFilters')
      } else if (name === 'partialFilterExpression') checker.filter(value, name)
      else if (typeof value === 'object') checker.expression(value, name)
    }
    return settings
  }

  /** Starts an operation, unless the input or the adapter says that it cannot be. */
  #run<N extends OperationName, R = ReplyOf<N>>(
    name: N,
    options: CallOptions | undefined,
    make: () => OperationOf<N>,
    operation = operations[name] as unknown as Operation<R>,
  ): Promise<R> {
    const { calls, capabilities, executor } = this.#scope
    let request: OperationOf<N>
    try {
      if (!capabilities.extended && extended.has(name)) throw unsupported()
      if (!capabilities.indexes && (name === 'createIndex' || name === 'listIndexes')) {
        throw unsupported()
      }
      request = make()
    } catch (error) {
      return calls.refuse(name, error)
    }
    return calls.run(
      operation,
      request,
      (request, attempt) => executor.execute(request, attempt),
      options,
    )
  }

  /**
   * What became of each write of a bulk of which the server refused some. `ids` and `names` are in its order.
   * The reply, with its counts, is the cause.
   */
  #failed(
    reply: { readonly failures: readonly WriteFailure[] },
    ids: readonly unknown[],
    names: (index: number) => string,
    ordered: boolean,
  ): DriverFailure {
    const { calls } = this.#scope
    const { failures } = reply
    const refused = new Map(failures.map((failure) => [failure.index, failure]))
    const end = ordered ? Math.min(...refused.keys()) : ids.length
    const items = ids.map((value, i): ItemResult => {
      const failure = refused.get(i)
      if (failure !== undefined) {
        const operation = { name: names(i), ...write }
        return { status: 'rejected', reason: calls.failure(operation, refusal(failure, names(i))) }
      }
      if (i < end) return { status: 'fulfilled', value }
      const detail = 'not tried, since one before it failed'
      const reason = calls.error({ name: names(i) }, { kind: 'aborted', detail })
      return { status: 'rejected', reason }
    })
    const [first] = failures as [WriteFailure]
    const { kind, detail } = refusal(first, names(first.index)).failure
    const applied = items.some((item) => item.status === 'fulfilled')
    const open = items.some(
      (item) => item.status === 'rejected' && item.reason.outcome === 'unknown',
    )
    return new DriverFailure(
      {
        kind,
        detail: `${failures.length} of ${ids.length} failed, the first with: ${detail}`,
        outcome: applied ? 'partial' : open ? 'unknown' : 'not-applied',
        items,
      },
      { cause: reply },
    )
  }
}

function refusal({ code, message }: WriteFailure, operation: string): DriverFailure {
  const cause = new ServerError(code, message)
  return new DriverFailure(classifyServerError(cause, operation), { cause })
}

function unsupported(): DriverFailure {
  return new DriverFailure({ kind: 'unsupported' })
}
