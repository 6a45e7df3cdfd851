import type { Document, IndexDescription, IndexOptions } from '../../../src/mongodb/index.ts'
import { compile, type Evaluate, type Predicate } from './filter.ts'
import { reaches, split } from './paths.ts'
import { refuse, unsupported } from './refusals.ts'
import { keyOf } from './values.ts'

interface Index {
  readonly description: IndexDescription
  readonly paths: readonly (readonly string[])[]
  /** Of a partial index: whether it has the document. */
  readonly covers: Predicate
  readonly keys: UniqueKeys | undefined
}

/** Of a unique index. */
class UniqueKeys {
  readonly #owners = new Map<string, string>()
  readonly #held = new Map<string, readonly string[]>()

  isFree(key: string, id: string): boolean {
    return (this.#owners.get(key) ?? id) === id
  }

  /** In place of those that the document had. */
  hold(id: string, keys: readonly string[]): void {
    for (const key of this.#held.get(id) ?? []) this.#owners.delete(key)
    for (const key of keys) this.#owners.set(key, id)
    this.#held.set(id, keys)
  }
}

/** The documents of one collection, in the order in which they came, and what must be unique among them. */
export class Store {
  /** By the key of their `_id`. */
  readonly documents = new Map<string, Document>()
  readonly #namespace: string
  readonly #evaluate: Evaluate
  readonly #indexes = new Map<string, Index>()
  #exists = false

  constructor(namespace: string, evaluate: Evaluate) {
    this.#namespace = namespace
    this.#evaluate = evaluate
  }

  /** @throws ServerError 11000 */
  insert(document: Document): void {
    const id = keyOf(document._id)
    if (this.documents.has(id)) this.#duplicate('_id_')
    this.#put(id, document)
  }

  /** Of the same `_id`. @throws ServerError 11000 */
  replace(document: Document): void {
    this.#put(keyOf(document._id), document)
  }

  delete(document: Document): void {
    const id = keyOf(document._id)
    this.documents.delete(id)
    for (const { keys } of this.#indexes.values()) keys?.hold(id, [])
  }

  /** Another with the same content. */
  copy(): Store {
    const result = new Store(this.#namespace, this.#evaluate)
    for (const [id, document] of this.documents) result.documents.set(id, document)
    result.#exists = this.#exists
    for (const { description } of this.#indexes.values()) {
      result.createIndex(description.key, description)
    }
    return result
  }

  /** None as long as nothing has been put here: there is no such collection then. */
  get indexes(): IndexDescription[] {
    if (!this.#exists) return []
    const own = [...this.#indexes.values()].map(({ description }) => description)
    return [{ name: '_id_', key: { _id: 1 } }, ...own]
  }

  /** @throws ServerError 11000, 85 or 86 */
  createIndex(key: Document, options: IndexOptions): string {
    const special = Object.values(key).find((direction) => typeof direction === 'string')
    if (special !== undefined && special !== 'hashed') unsupported(`indexes of type ${special}`)
    if (options.collation !== undefined) unsupported('collations')
    this.#exists = true
    if (keyOf(key) === keyOf({ _id: 1 })) return '_id_'
    const name = options.name ?? Object.entries(key).flat().join('_')
    const description = { ...options, name, key }
    const existing = this.#same(description)
    if (existing !== undefined) return existing

    const { partialFilterExpression } = options
    const index: Index = {
      description,
      paths: Object.keys(key).map(split),
      covers:
        partialFilterExpression === undefined
          ? () => true
          : compile(partialFilterExpression, this.#evaluate),
      keys: options.unique ? new UniqueKeys() : undefined,
    }
    for (const [id, document] of this.documents) {
      index.keys?.hold(id, this.#claims(index, id, document))
    }
    this.#indexes.set(name, index)
    return name
  }

  /** The documents whose time is over go. */
  expire(now: number): void {
    for (const { description, paths } of this.#indexes.values()) {
      const { expireAfterSeconds } = description
      const [path] = paths
      if (expireAfterSeconds === undefined || paths.length > 1 || path === undefined) continue
      const limit = now - expireAfterSeconds * 1000
      for (const document of this.documents.values()) {
        const isOver = (value: unknown) => value instanceof Date && Number(value) <= limit
        if (reaches(document, path, true, isOver)) this.delete(document)
      }
    }
  }

  /** The name of an index that is the same. */
  #same(description: IndexDescription): string | undefined {
    const { name, expireAfterSeconds } = description
    const sameName = this.#indexes.get(name)?.description
    if (sameName !== undefined) {
      if (signature(sameName) !== signature(description)) {
        refuse('indexKeysConflict', 'An existing index has the same name as the requested index')
      }
      if (sameName.expireAfterSeconds === expireAfterSeconds) return name
    }
    const others = [...this.#indexes.values()]
    if (others.some((other) => signature(other.description) === signature(description))) {
      refuse('indexOptionsConflict', 'Index already exists with a different name or other options')
    }
    return undefined
  }

  #put(id: string, document: Document): void {
    const claims = [...this.#indexes.values()].map((index) => ({
      keys: index.keys,
      entries: this.#claims(index, id, document),
    }))
    // Only now that nothing can refuse it.
    for (const { keys, entries } of claims) keys?.hold(id, entries)
    this.documents.set(id, document)
    this.#exists = true
  }

  /** The keys of the document, if nobody else has one of them. */
  #claims(index: Index, id: string, document: Document): string[] {
    const { keys, covers, description } = index
    if (keys === undefined || !covers(document)) return []
    const entries = entriesOf(index, document)
    if (!entries.every((entry) => keys.isFree(entry, id))) this.#duplicate(description.name)
    return entries
  }

  #duplicate(index: string): never {
    const what = `collection: ${this.#namespace} index: ${index} dup key: {}`
    return refuse('duplicateKey', `E11000 duplicate key error ${what}`)
  }
}

function signature({ key, unique, sparse, partialFilterExpression }: IndexDescription): string {
  return keyOf([key, unique === true, sparse === true, partialFilterExpression])
}

/** One for each element of an array. Sparse indexes leave out what has none of the fields. */
function entriesOf({ paths, description }: Index, document: Document): string[] {
  let isThere = false
  let several = 0
  let entries = ['']
  for (const path of paths) {
    const found = new Set<string>()
    const take = (value: unknown) => {
      isThere ||= value !== undefined
      found.add(keyOf(value))
    }
    reaches(document, path, false, (value) => {
      if (!Array.isArray(value)) take(value)
      else if (value.length > 0) value.forEach(take)
      else {
        isThere = true
        found.add('[]')
      }
      return false
    })
    if (found.size === 0) take(undefined)
    if (found.size > 1) several++
    if (several > 1) refuse('parallelArrays', 'cannot index parallel arrays')
    entries = entries.flatMap((entry) => [...found].map((key) => `${entry},${key}`))
  }
  return description.sparse && !isThere ? [] : entries
}
