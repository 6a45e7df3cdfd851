import { afterAll, describe, test } from 'vitest'
import { type MongoTarget, mongoSuite, runSuite } from '../../src/testing/index.ts'
import { needs, skipped } from '../engines/index.ts'

/** What FerretDB 1.24 cannot do. Where MONGODB_URL names a MongoDB, these run as well. */
const notOnFerretdb: Readonly<Record<string, string>> = {
  'values: minus zero keeps its sign': 'stores 0',
  'values: infinities and NaN are doubles': 'refuses infinities, and ends the connection for NaN',
  'values: a Decimal128 keeps its digits': 'does not know the type, and ends the connection',
  'values: MinKey is MinKey': 'does not know the type, and ends the connection',
  'values: MaxKey is MaxKey': 'does not know the type, and ends the connection',
  'values: Code is Code': 'does not know the type, and ends the connection',
  'values: arrays are arrays, empty and nested': 'refuses arrays in arrays',
  'values: fields keep their order': 'moves _id to the front of documents in documents',
  'insert: an _id is of any type but an array': 'takes some _ids of different types for the same',
  'filter: $all, $size and $elemMatch': 'does not know all of these together',
  'filter: $expr compares fields': 'does not know most expressions',
  'filter: a collation says what is equal': 'has no collations',
  'projection: elements are chosen by $slice and $elemMatch': 'does not know these',
  'projection: fields may be computed': 'does not compute fields',
  'sort: a hint names the index to use': 'does not look at hints',
  'update: $push sorts, cuts and places': 'ignores these modifiers',
  'update: $push at a position': 'ignores the position',
  'update: $pull removes by condition': 'pulls values only',
  'update: an element of an array is reached by its place and by what matched':
    'does not know the positional operator',
  'update: arrayFilters choose the elements': 'has no arrayFilters',
  'update: an update may be a pipeline': 'takes no pipelines for updates',
  'replace: the same again is matched, not modified': 'counts it as modified',
  'findOneAnd: the projection says what of it': 'takes no projection there',
  'findOneAnd: of many that take from one queue each gets another document':
    'does not do this atomically',
  'aggregate: $group sums and counts': 'counts 0 for { $sum: 1 } beside another $sum',
  'aggregate: expressions compute': 'does not know most expressions',
  'aggregate: $facet runs several at once': 'does not know the stage',
  'aggregate: $lookup joins another collection': 'does not know the stage',
  'aggregate: $out writes another collection': 'does not know the stage',
  'index: documents that break a unique index keep it from being made':
    'fails with an internal error',
  'index: partial: what does not match is free': 'has no partial indexes',
  'index: an index may have a time to live': 'has no such indexes',
  'duplicate: an _id that is taken is a conflict, in the index _id_': 'does not name the index',
  'duplicate: every way to a duplicate is the same conflict, with the name of the index and without the values':
    'does not name the index, and fails with an internal error for updates',
  'duplicate: a duplicate that updateMany comes to may follow on changes':
    'fails with an internal error',
  'duplicate: what is missing counts as null: once': 'does not count it',
  'duplicate: each element of an array is a key': 'takes the array for one key',
  'transaction: all of it is there, with what the work gives': 'has no transactions',
  'transaction: what the work throws undoes it, and comes out as it was thrown':
    'has no transactions',
  'transaction: an operation that fails undoes it': 'has no transactions',
  'transaction: those that conflict are run again, and none is lost': 'has no transactions',
  'transaction: a cursor reads within it': 'has no transactions',
}

interface Engine {
  readonly missing?: string | undefined
  readonly isFerretdb?: boolean
}

/**
 * Every case of the suite as a test of its own. `elsewhere` runs the case of that name in another runtime,
 * against the same adapter.
 */
export function conformance(
  over: string,
  engine: Engine,
  target: () => MongoTarget,
  elsewhere?: (name: string) => Promise<void>,
): void {
  describe(`MongoDB over ${over}`, needs(engine), () => {
    if (engine.missing !== undefined) return void test('the suite', () => {})
    const made = target()
    afterAll(() => made.mongodb.close())
    runSuite(mongoSuite, {
      target: made,
      test(name, run) {
        const reason = engine.isFerretdb ? notOnFerretdb[name] : undefined
        if (reason !== undefined) test(name, skipped(`FerretDB ${reason}`), () => {})
        else test(name, elsewhere === undefined ? run : () => elsewhere(name))
      },
      skip: (name, reason) => test(name, skipped(reason), () => {}),
    })
  })
}
