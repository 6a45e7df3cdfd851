import type { CallOptions } from '../core/index.ts'
import { invalid } from './documents.ts'
import type { IndexOptions } from './driver.ts'
import type { Collation, Document, Hint, Projection, Sort } from './types.ts'

interface QueryOptions extends CallOptions {
  readonly collation?: Collation | undefined
  readonly hint?: Hint | undefined
}

export interface FindOneOptions<T = Document> extends QueryOptions {
  readonly projection?: Projection<T> | undefined
  readonly sort?: Sort<T> | undefined
  readonly skip?: number | undefined
}

export interface FindOptions<T = Document> extends FindOneOptions<T> {
  /** 0 for no limit, the default. */
  readonly limit?: number | undefined
  /** Documents in a page. Default 1000. The server ends a page at 16 MB. */
  readonly batchSize?: number | undefined
}

export interface AggregateOptions extends QueryOptions {
  /** Documents in a page. Default 1000. */
  readonly batchSize?: number | undefined
  readonly allowDiskUse?: boolean | undefined
}

export interface UpdateOptions extends QueryOptions {
  readonly upsert?: boolean | undefined
  readonly arrayFilters?: readonly Document[] | undefined
}

export interface ReplaceOptions extends QueryOptions {
  readonly upsert?: boolean | undefined
}

export interface DeleteOptions extends QueryOptions {}

export interface FindOneAndDeleteOptions<T = Document> extends QueryOptions {
  readonly projection?: Projection<T> | undefined
  readonly sort?: Sort<T> | undefined
}

export interface FindOneAndReplaceOptions<T = Document> extends FindOneAndDeleteOptions<T> {
  readonly upsert?: boolean | undefined
  /** The document as it was, which is the default, or as it is now. */
  readonly returnDocument?: 'before' | 'after' | undefined
}

export interface FindOneAndUpdateOptions<T = Document> extends FindOneAndReplaceOptions<T> {
  readonly arrayFilters?: readonly Document[] | undefined
}

export interface InsertManyOptions extends CallOptions {
  /** The first failure ends it. Default `true`; `false` tries all. */
  readonly ordered?: boolean | undefined
}

export interface BulkWriteOptions extends InsertManyOptions {}

export interface CountOptions extends QueryOptions {
  readonly skip?: number | undefined
  readonly limit?: number | undefined
}

export interface DistinctOptions extends QueryOptions {}

export type CreateIndexOptions = CallOptions & {
  readonly [K in keyof IndexOptions]?: IndexOptions[K] | undefined
}

const isCount = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0
const isFlag = (value: unknown) => typeof value === 'boolean'
/** Checked by what they hold, where they are used. */
const isObject = (value: unknown) =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const rules = {
  skip: [isCount, 'a whole number from 0'],
  limit: [isCount, 'a whole number from 0'],
  batchSize: [(value) => isCount(value) && value !== 0, 'a whole number from 1'],
  expireAfterSeconds: [isCount, 'a whole number from 0'],
  upsert: [isFlag, 'true or false'],
  ordered: [isFlag, 'true or false'],
  allowDiskUse: [isFlag, 'true or false'],
  unique: [isFlag, 'true or false'],
  sparse: [isFlag, 'true or false'],
  projection: [isObject, 'an object'],
  sort: [isObject, 'an object'],
  collation: [isObject, 'an object'],
  partialFilterExpression: [isObject, 'an object'],
  hint: [
    (value) => isObject(value) || (typeof value === 'string' && value !== ''),
    'a name or an object',
  ],
  name: [(value) => typeof value === 'string' && value !== '', 'a name'],
  arrayFilters: [Array.isArray, 'an array'],
  returnDocument: [(value) => value === 'before' || value === 'after', 'before or after'],
} as const satisfies Record<string, readonly [(value: unknown) => boolean, string]>

export type OptionName = keyof typeof rules

const callOptions: ReadonlySet<string> = new Set(['signal', 'timeoutMs', 'correlationId'])
const none: Readonly<Record<string, never>> = {}

/**
 * The options that go to the server, checked; a misspelt one is an error, not a surprise. Gives what belongs
 * into the operation.
 */
export function taken(options: object | undefined, names: ReadonlySet<OptionName>): Document {
  if (options === undefined) return none
  if (!isObject(options)) throw invalid('the options are not an object')
  let result: Document = none
  for (const [name, value] of Object.entries(options)) {
    if (callOptions.has(name)) continue
    if (!names.has(name as OptionName)) {
      // The name is the programmer's, not data; still, it could be a pasted value.
      throw invalid(/^[A-Za-z]{1,32}$/.test(name) ? `unknown option ${name}` : 'an unknown option')
    }
    if (value === undefined) continue
    const [fits, expected] = rules[name as OptionName]
    if (!fits(value)) throw invalid(`${name} is not ${expected}`)
    if (result === none) result = {}
    result[name] = value
  }
  return result
}
