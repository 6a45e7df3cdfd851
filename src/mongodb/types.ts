import type { BSONRegExp, Decimal128, Double, Int32, Long, ObjectId } from 'bson'

/** A document whose fields nobody has declared. */
export type Document = Record<string, unknown>

type IdOf<T> = T extends { readonly _id: infer Id } ? Id : ObjectId

export type { IdOf }

/** As it is stored: with its `_id`, an ObjectId unless `T` says otherwise. */
export type WithId<T> = T extends { readonly _id: unknown } ? T : T & { _id: ObjectId }
/** As it is inserted: an `_id` that is missing is made before the document is sent. */
export type OptionalId<T> = T extends { readonly _id: unknown }
  ? Omit<T, '_id'> & { _id?: T['_id'] }
  : T & { _id?: ObjectId }
/** As it replaces another: `_id` cannot change. */
export type WithoutId<T> = Omit<T, '_id'>

/** `'address.city'`: what is below the first level is not checked. */
type Paths<V = unknown> = { readonly [path: `${string}.${string}`]: V }
type Numeric = number | bigint | Int32 | Double | Long | Decimal128

/** An array is also found by one of its elements, a text by a pattern. */
type Alternatives<V> =
  | V
  | (V extends readonly (infer E)[] ? E | (E extends string ? RegExp | BSONRegExp : never) : never)
  | (V extends string ? RegExp | BSONRegExp : never)

export interface FilterOperators<V> {
  readonly $eq?: V | null
  readonly $ne?: V | null
  readonly $gt?: V
  readonly $gte?: V
  readonly $lt?: V
  readonly $lte?: V
  readonly $in?: readonly (V | null)[]
  readonly $nin?: readonly (V | null)[]
  readonly $not?: FilterOperators<V> | RegExp | BSONRegExp
  readonly $exists?: boolean
  readonly $type?: string | number | readonly (string | number)[]
  readonly $regex?: string | RegExp | BSONRegExp
  readonly $options?: string
  readonly $mod?: readonly [Numeric, Numeric]
  readonly $all?: readonly unknown[]
  readonly $elemMatch?: Document
  readonly $size?: number
  readonly $bitsAllClear?: unknown
  readonly $bitsAllSet?: unknown
  readonly $bitsAnyClear?: unknown
  readonly $bitsAnySet?: unknown
  readonly $geoIntersects?: Document
  readonly $geoWithin?: Document
  readonly $near?: unknown
  readonly $nearSphere?: unknown
  readonly $minDistance?: number
  readonly $maxDistance?: number
}

export type Condition<V> = Alternatives<V> | null | FilterOperators<Alternatives<V>>

/** Operators that run JavaScript on the server. Only a client that allows one takes it, by type and at run time. */
export type ScriptOperator = '$where' | '$function' | '$accumulator'

/**
 * What documents of `T` are looked up by. `Allowed` names the operators beyond the portable ones which the
 * client was constructed to allow: `$where` is a type error without.
 */
export type Filter<T, Allowed extends string = never> = {
  readonly [K in keyof WithId<T>]?: Condition<WithId<T>[K]>
} & Paths & {
    readonly $and?: readonly Filter<T, Allowed>[]
    readonly $or?: readonly Filter<T, Allowed>[]
    readonly $nor?: readonly Filter<T, Allowed>[]
    readonly $expr?: unknown
    readonly $text?: Document
    readonly $jsonSchema?: Document
    readonly $comment?: string
  } & { readonly [K in Exclude<ScriptOperator, Allowed>]?: never } & {
    readonly [K in Allowed]?: unknown
  }

/** The fields of `T` whose values are `V`. */
type Holding<T, V> = { [K in keyof T]-?: NonNullable<T[K]> extends V ? K : never }[keyof T]
type Element<V> = NonNullable<V> extends readonly (infer E)[] ? E : never
type Each<T, Extra> = {
  readonly [K in keyof T]?: Element<T[K]> | ({ readonly $each: readonly Element<T[K]>[] } & Extra)
} & Paths

export interface UpdateOperators<T> {
  readonly $set?: { readonly [K in keyof T]?: T[K] } & Paths
  readonly $setOnInsert?: { readonly [K in keyof T]?: T[K] } & Paths
  readonly $unset?: { readonly [K in keyof T]?: '' | 1 | true } & Paths<'' | 1 | true>
  readonly $inc?: { readonly [K in Holding<T, Numeric>]?: Numeric } & Paths<Numeric>
  readonly $mul?: { readonly [K in Holding<T, Numeric>]?: Numeric } & Paths<Numeric>
  readonly $min?: { readonly [K in keyof T]?: T[K] } & Paths
  readonly $max?: { readonly [K in keyof T]?: T[K] } & Paths
  readonly $rename?: { readonly [K in keyof T]?: string } & Paths<string>
  readonly $currentDate?: {
    readonly [K in keyof T]?: true | { readonly $type: 'date' | 'timestamp' }
  } & Paths<true | { readonly $type: 'date' | 'timestamp' }>
  readonly $push?: Each<
    T,
    {
      readonly $slice?: number
      readonly $position?: number
      readonly $sort?: 1 | -1 | Readonly<Record<string, 1 | -1>>
    }
  >
  readonly $addToSet?: Each<T, unknown>
  readonly $pop?: { readonly [K in keyof T]?: 1 | -1 } & Paths<1 | -1>
  readonly $pull?: { readonly [K in keyof T]?: unknown } & Paths
  readonly $pullAll?: { readonly [K in keyof T]?: readonly unknown[] } & Paths<readonly unknown[]>
  readonly $bit?: { readonly [K in keyof T]?: Document } & Paths<Document>
}

/** How documents of `T` change: operators, or a pipeline of `$set`, `$unset`, `$replaceWith` and their like. */
export type UpdateFilter<T> = UpdateOperators<T> | Pipeline

export type Pipeline = readonly Document[]

export type Projection<T> = {
  readonly [K in keyof WithId<T>]?: 0 | 1 | boolean | Document
} & Paths<0 | 1 | boolean | Document>

/** In the order of its keys. */
export type Sort<T = Document> = {
  readonly [K in keyof WithId<T>]?: 1 | -1 | { readonly $meta: 'textScore' }
} & Paths<1 | -1 | { readonly $meta: 'textScore' }>

/** https://www.mongodb.com/docs/manual/reference/collation/ */
export interface Collation {
  readonly locale: string
  readonly strength?: 1 | 2 | 3 | 4 | 5
  readonly caseLevel?: boolean
  readonly caseFirst?: 'upper' | 'lower' | 'off'
  readonly numericOrdering?: boolean
  readonly alternate?: 'non-ignorable' | 'shifted'
  readonly maxVariable?: 'punct' | 'space'
  readonly backwards?: boolean
  readonly normalization?: boolean
}

/** An index by its name, or by its keys. */
export type Hint = string | Readonly<Record<string, 1 | -1 | string>>
