import { DriverFailure } from '../../../src/core/index.ts'
import { ServerError } from '../../../src/mongodb/index.ts'

/** MongoDB's own numbers. */
const codes = {
  badValue: 2,
  failedToParse: 9,
  typeMismatch: 14,
  cannotCreateField: 28,
  conflictingUpdates: 40,
  notSingleValue: 54,
  emptyFieldName: 56,
  immutableField: 66,
  indexOptionsConflict: 85,
  indexKeysConflict: 86,
  parallelArrays: 171,
  unknownExpression: 168,
  documentTooLarge: 10334,
  duplicateKey: 11000,
  mergeNotMatched: 13113,
  exclusionInInclusion: 31254,
  inclusionInExclusion: 31253,
  pathCollision: 31249,
  badRegex: 51091,
  unknownAccumulator: 15952,
  unknownStage: 40324,
} as const

/** @throws ServerError as a server would answer */
export function refuse(code: keyof typeof codes, message: string): never {
  throw new ServerError(codes[code], message)
}

/** What this adapter cannot do, by its name: rather than a wrong answer. */
export function unsupported(what: string): never {
  throw new DriverFailure({
    kind: 'unsupported',
    outcome: 'not-applied',
    detail: `the memory adapter has no ${what}`,
  })
}
