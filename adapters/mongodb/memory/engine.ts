import { DriverFailure } from '../../../src/core/index.ts'
import type { Bson } from '../../../src/mongodb/ejson.ts'
import {
  type BulkOperation,
  type BulkReply,
  type CursorOperation,
  type Document,
  type Namespace,
  type OperationName,
  type OperationOf,
  type Pipeline,
  type ReplyOf,
  ServerError,
  type UpdateReply,
  type WriteFailure,
} from '../../../src/mongodb/index.ts'
import { collated, collator } from './collation.ts'
import { distinct, Expressions, type Mingo } from './expressions.ts'
import { compile, type Evaluate, hasOperators, type Match } from './filter.ts'
import { valuesAt } from './paths.ts'
import { Pipelines, type Surroundings } from './pipeline.ts'
import { compileProjection } from './projection.ts'
import { refuse, unsupported } from './refusals.ts'
import { comparator } from './sort.ts'
import { Store } from './store.ts'
import { compileUpdate, keepsId, seedOf, type Tools, type Update, withIdFirst } from './update.ts'
import { Codec, keyOf, typeName } from './values.ts'

/** The collections of all databases, by `database.collection`. */
type Stores = Map<string, Store>

interface Found {
  readonly document: Document
  readonly match: Match
}

interface Collated {
  readonly collation?: Document
}

interface Hinted {
  readonly hint?: unknown
}

interface Changed extends UpdateReply {
  /** As it was, and as it is: of the last document that was found. */
  readonly before: Found | undefined
  readonly after: Document | undefined
}

/** The fields of all requests together. */
interface Request {
  readonly filter: Document
  readonly sort?: Document
  readonly skip?: number
  readonly limit?: number
  readonly projection?: Document
  readonly update?: Document | Pipeline
  readonly replacement?: Document
  readonly upsert?: boolean
  readonly arrayFilters?: readonly Document[]
  readonly returnDocument?: 'before' | 'after'
}

type Handlers = {
  readonly [N in OperationName]: (request: OperationOf<N>, store: Store) => ReplyOf<N>
}

const maxDocumentBytes = 16 * 1024 * 1024
const commandNotSupported = 115

/** The server: the databases, and what may be done with them. Whatever is asked is done at once. */
export class Engine {
  readonly codec: Codec
  readonly #bson: Bson
  readonly #mingo: Mingo
  readonly #clock: () => number
  readonly #evaluate: Evaluate
  readonly #pipelines: Pipelines
  readonly #tools: Tools
  readonly #stores: Stores
  #sweptAt = 0

  constructor(bson: Bson, mingo: Mingo, clock: () => number, stores: Stores = new Map()) {
    const expressions = new Expressions(mingo, bson)
    this.codec = new Codec(bson)
    this.#bson = bson
    this.#mingo = mingo
    this.#clock = clock
    this.#stores = stores
    this.#evaluate = (document, expression) => expressions.evaluate(document, expression)
    this.#pipelines = new Pipelines(expressions)
    this.#tools = {
      codec: this.codec,
      arithmetic: expressions.arithmetic,
      clock,
      evaluate: this.#evaluate,
      transform: (document, pipeline) => this.#pipelines.transform(document, pipeline),
    }
  }

  /** @throws ServerError, or DriverFailure for what is not here */
  execute<N extends OperationName>(operation: OperationOf<N>): ReplyOf<N> {
    const request = this.#read(operation) as OperationOf<N> & Collated
    return collated(request.collation, () =>
      this.#handlers[operation.name as N](request, this.#store(request)),
    )
  }

  /** All that a query finds, as it is stored. */
  query(operation: CursorOperation): readonly Document[] {
    const request = this.#read(operation) as CursorOperation & Collated
    const store = this.#store(request)
    return collated(request.collation, () => {
      if (request.name === 'find') {
        const { projection } = request
        const found = this.#find(store, request, projection !== undefined)
        return this.#projected(found, projection)
      }
      const documents = [...store.documents.values()]
      return this.#pipelines.run(documents, request.pipeline, this.#around(request.database))
    })
  }

  /** One of its own to work on, until `merge` makes what was done there happen here. */
  fork(): Engine {
    const stores = new Map([...this.#stores].map(([name, store]) => [name, store.copy()]))
    return new Engine(this.#bson, this.#mingo, this.#clock, stores)
  }

  /**
   * As a whole, or not at all.
   * @param base What `fork` was once, untouched.
   * @throws ServerError 112 if one of the documents has changed here meanwhile
   */
  merge(fork: Engine, base: Engine): void {
    const merged: Stores = new Map()
    for (const [name, { documents, indexes }] of fork.#stores) {
      const store = this.#stores.get(name)?.copy() ?? new Store(name, this.#evaluate)
      const old = base.#stores.get(name)?.documents ?? new Map<string, Document>()
      const touched = [...new Set([...old.keys(), ...documents.keys()])].filter(
        (id) => old.get(id) !== documents.get(id),
      )
      if (touched.some((id) => store.documents.get(id) !== old.get(id))) conflict()
      for (const id of touched) {
        const [before, after] = [old.get(id), documents.get(id)]
        if (before !== undefined && after === undefined) store.delete(before)
      }
      try {
        for (const id of touched) {
          const after = documents.get(id)
          if (after !== undefined) store.replace(after)
        }
      } catch {
        // What was unique in there is not, together with what came meanwhile.
        conflict()
      }
      for (const { key, ...options } of indexes) store.createIndex(key, options)
      merged.set(name, store)
    }
    for (const [name, store] of merged) this.#stores.set(name, store)
  }

  // Requests -------------------------------------------------------------------------------------

  /** Each part by itself: together they may be larger than a document. */
  #read(operation: Namespace & { readonly name: string }): Namespace {
    const read = Object.entries(operation).map(([name, part]: [string, unknown]) => {
      const several = name === 'documents' || name === 'operations'
      if (several) return [name, (part as unknown[]).map((one) => this.codec.read(one))]
      return [name, typeof part === 'object' ? this.codec.read(part) : part]
    })
    return Object.fromEntries(read)
  }

  #store({ database, collection, hint }: Namespace & Hinted): Store {
    const name = `${database}.${collection}`
    let store = this.#stores.get(name)
    if (store === undefined) {
      store = new Store(name, this.#evaluate)
      this.#stores.set(name, store)
    }
    this.#sweep()
    if (hint !== undefined && store.documents.size > 0) checkHint(hint, store)
    return store
  }

  /** What is over by whole seconds goes before anyone can see it. */
  #sweep(): void {
    const now = this.#clock()
    if (Math.floor(now / 1000) === this.#sweptAt) return
    this.#sweptAt = Math.floor(now / 1000)
    for (const store of this.#stores.values()) store.expire(now)
  }

  #around(database: string): Surroundings {
    const storeOf = (collection: string) => this.#store({ database, collection })
    return {
      read: (collection) => [...storeOf(collection).documents.values()],
      replaceAll: (collection, documents) => {
        const store = storeOf(collection)
        for (const document of [...store.documents.values()]) store.delete(document)
        for (const document of documents) this.#insert(store, document)
      },
      merge: (collection, documents, { whenMatched = 'merge', whenNotMatched = 'insert' }) => {
        const store = storeOf(collection)
        for (const document of documents) {
          const old = store.documents.get(keyOf(document._id))
          if (old === undefined) {
            if (whenNotMatched === 'insert') this.#insert(store, document)
            else if (whenNotMatched === 'fail')
              refuse('mergeNotMatched', '$merge could not find a matching document')
          } else if (whenMatched === 'merge') store.replace({ ...old, ...document })
          else if (whenMatched === 'replace') store.replace(document)
          else if (whenMatched === 'fail')
            refuse('duplicateKey', '$merge found a matching document')
          else if (whenMatched !== 'keepExisting') unsupported('$merge with a pipeline')
        }
      },
    }
  }

  // Operations -----------------------------------------------------------------------------------

  readonly #handlers: Handlers = {
    findOne: (request, store) => {
      const found = this.#find(store, { ...request, limit: 1 }, request.projection !== undefined)
      return this.#reply(found[0], request.projection)
    },
    insertOne: ({ document }, store) => {
      return { insertedId: this.codec.write(this.#insert(store, document)) }
    },
    insertMany: ({ documents, ordered }, store) => {
      const whole = documents.map((document) => this.#withId(document))
      const insertedIds = whole.map(({ _id }) => this.codec.write(_id))
      const failures = each(whole, ordered, (document) => this.#insert(store, document))
      return { insertedIds, failures }
    },
    updateOne: (request, store) => this.#updateReply(this.#update(store, request, false)),
    updateMany: (request, store) => this.#updateReply(this.#update(store, request, true)),
    replaceOne: (request, store) => this.#updateReply(this.#update(store, request, false)),
    deleteOne: (request, store) => this.#delete(store, request, 1),
    deleteMany: (request, store) => this.#delete(store, request, 0),
    findOneAndUpdate: (request, store) => this.#findAndChange(store, request),
    findOneAndReplace: (request, store) => this.#findAndChange(store, request),
    findOneAndDelete: (request, store) => {
      const [found] = this.#find(store, { ...request, limit: 1 }, true)
      const reply = this.#reply(found, request.projection)
      if (found !== undefined) store.delete(found.document)
      return reply
    },
    countDocuments: (request, store) => this.#find(store, request, false).length,
    estimatedDocumentCount: (_, store) => store.documents.size,
    distinct: (request, store) => {
      const found = this.#find(store, request, false)
      const values = found.flatMap(({ document }) => valuesAt(document, request.key, false))
      return this.codec.write(distinct(values))
    },
    bulkWrite: ({ operations, ordered }, store) => this.#bulk(store, operations, ordered),
    createIndex: ({ keys, options }, store) => store.createIndex(keys, options),
    listIndexes: (_, store) => this.codec.write(store.indexes),
  }

  #find(store: Store, request: Request, positions: boolean): Found[] {
    const { filter, sort, skip = 0, limit = 0 } = request
    const predicate = compile(filter, this.#evaluate)
    const order = sort === undefined ? undefined : comparator(sort)
    const enough = order === undefined && limit > 0 ? skip + limit : Infinity
    const found: Found[] = []
    for (const document of candidates(store, filter)) {
      const match: Match = {}
      if (!predicate(document, positions ? match : undefined)) continue
      found.push({ document, match })
      if (found.length === enough) break
    }
    if (order !== undefined) found.sort((a, b) => order(a.document, b.document))
    return found.slice(skip, limit === 0 ? undefined : skip + limit)
  }

  #projected(found: readonly Found[], projection: Document | undefined): Document[] {
    if (projection === undefined || Object.keys(projection).length === 0) {
      return found.map(({ document }) => document)
    }
    const project = compileProjection(projection, this.#evaluate, true)
    return found.map(({ document, match }) => project(document, match))
  }

  #reply(found: Found | undefined, projection: Document | undefined): Document | null {
    const [document] = this.#projected(found === undefined ? [] : [found], projection)
    return document === undefined ? null : this.codec.write(document)
  }

  #withId(document: Document): Document {
    return withIdFirst(document, () => new this.#bson.ObjectId())
  }

  /** Gives its `_id`. */
  #insert(store: Store, document: Document): unknown {
    const whole = this.#withId(document)
    const type = typeName(whole._id)
    if (type === 'array' || type === 'regex') {
      refuse('badValue', `The '_id' value cannot be of type ${type}`)
    }
    this.#sized(whole)
    store.insert(whole)
    return whole._id
  }

  /** In BSON, unless that is larger than a server takes. */
  #sized(document: Document): Uint8Array {
    const bytes = this.codec.encode(document)
    if (bytes.length > maxDocumentBytes) refuse('documentTooLarge', 'the document is too large')
    return bytes
  }

  #update(store: Store, request: Request, all: boolean): Changed {
    const change = this.#changeOf(request)
    const found = this.#find(store, all ? request : { ...request, limit: 1 }, true)
    if (found.length === 0 && request.upsert) return this.#upsert(store, request, change)
    let modifiedCount = 0
    let after: Document | undefined
    for (const { document, match } of found) {
      after = keepsId(document, change(document, match, false))
      const bytes = this.#sized(after)
      if (isSame(bytes, this.codec.encode(document))) continue
      store.replace(after)
      modifiedCount++
    }
    const counts = { matchedCount: found.length, modifiedCount, upsertedCount: 0 }
    return { ...counts, upsertedId: null, before: found.at(-1), after }
  }

  #changeOf({ update, replacement, arrayFilters = [] }: Request): Update {
    if (update !== undefined) return compileUpdate(update, arrayFilters, this.#tools)
    return ({ _id }) => (_id === undefined ? { ...replacement } : { _id, ...replacement })
  }

  #upsert(store: Store, { filter, replacement }: Request, change: Update): Changed {
    const { _id, ...fields } = seedOf(filter)
    const seed = { ...(_id !== undefined && { _id }), ...(replacement === undefined && fields) }
    const made = change(seed, {}, true)
    if (_id !== undefined) keepsId(seed, made)
    const after = this.#withId(made)
    const upsertedId = this.#insert(store, after)
    const counts = { matchedCount: 0, modifiedCount: 0, upsertedCount: 1 }
    return { ...counts, upsertedId, before: undefined, after }
  }

  #updateReply({ matchedCount, modifiedCount, upsertedCount, upsertedId }: Changed): UpdateReply {
    const id = this.codec.write(upsertedId)
    return { matchedCount, modifiedCount, upsertedCount, upsertedId: id }
  }

  #findAndChange(store: Store, request: Request): Document | null {
    const { projection, returnDocument } = request
    const { before, after } = this.#update(store, request, false)
    if (returnDocument === 'before' || after === undefined) return this.#reply(before, projection)
    return this.#reply({ document: after, match: before?.match ?? {} }, projection)
  }

  #delete(store: Store, request: Request, limit: number): { deletedCount: number } {
    const found = this.#find(store, { ...request, limit }, false)
    for (const { document } of found) store.delete(document)
    return { deletedCount: found.length }
  }

  #bulk(store: Store, operations: readonly BulkOperation[], ordered: boolean): BulkReply {
    const total = {
      insertedCount: 0,
      matchedCount: 0,
      modifiedCount: 0,
      deletedCount: 0,
      upsertedCount: 0,
    }
    const insertedIds: Record<number, unknown> = {}
    const upsertedIds: Record<number, unknown> = {}
    const run = (operation: BulkOperation, i: number) => {
      if ('insertOne' in operation) {
        insertedIds[i] = this.codec.write(this.#insert(store, operation.insertOne.document))
        total.insertedCount++
      } else if ('deleteOne' in operation) {
        total.deletedCount += this.#delete(store, operation.deleteOne, 1).deletedCount
      } else if ('deleteMany' in operation) {
        total.deletedCount += this.#delete(store, operation.deleteMany, 0).deletedCount
      } else {
        const isMany = 'updateMany' in operation
        const request = Object.values(operation)[0] as Request
        const reply = this.#updateReply(this.#update(store, request, isMany))
        total.matchedCount += reply.matchedCount
        total.modifiedCount += reply.modifiedCount
        total.upsertedCount += reply.upsertedCount
        if (reply.upsertedCount > 0) upsertedIds[i] = reply.upsertedId
      }
    }
    const failures = each(operations, ordered, (operation, i) => {
      const { hint, collation } = Object.values(operation)[0] as Hinted & Collated
      if (store.documents.size > 0) checkHint(hint, store)
      collated(collation, () => run(operation, i))
    })
    return { ...total, insertedIds, upsertedIds, failures }
  }
}

/** Runs one after the other, and collects what was refused. */
function each<T>(
  items: readonly T[],
  ordered: boolean,
  run: (item: T, index: number) => void,
): WriteFailure[] {
  const failures: WriteFailure[] = []
  for (const [index, item] of items.entries()) {
    try {
      run(item, index)
    } catch (error) {
      failures.push({ index, ...refusalOf(error) })
      if (ordered) break
    }
  }
  return failures
}

function refusalOf(error: unknown): { code: number; message: string } {
  if (error instanceof ServerError) return { code: error.code, message: error.message }
  if (error instanceof DriverFailure) return { code: commandNotSupported, message: error.message }
  throw error
}

function conflict(): never {
  throw new ServerError(112, 'WriteConflict error', ['TransientTransactionError'])
}

/** Those that the `_id` leaves, if the filter names one. */
function candidates({ documents }: Store, { _id }: Document): Iterable<Document> {
  if (
    _id === undefined ||
    hasOperators(_id) ||
    typeName(_id) === 'regex' ||
    collator() !== undefined
  ) {
    return documents.values()
  }
  const document = documents.get(keyOf(_id))
  return document === undefined ? [] : [document]
}

function checkHint(hint: unknown, { indexes }: Store): void {
  const isMeant = ({ name, key }: { name: string; key: Document }) =>
    typeof hint === 'string' ? name === hint : keyOf(key) === keyOf(hint)
  if (hint !== undefined && !indexes.some(isMeant)) {
    refuse('badValue', 'hint provided does not correspond to an existing index')
  }
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i])
}
