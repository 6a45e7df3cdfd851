import type { Failure } from '../core/index.ts'
import { lookup, words } from './errors.ts'

/** What SQL Server says, in its words, which may quote values. */
export interface SqlServerErrorLike {
  readonly number: number
  readonly message: string
}

/** What a transaction met that changed the same rows: it is undone, and may be run again. */
const overtaken = 'another transaction has changed the row meanwhile: this one was rolled back'
const doomed = 'an error has doomed the transaction: it can only be rolled back'
const noTransaction = 'there is no such transaction any more'

/**
 * The numbers of sys.messages, as servers send them:
 * https://learn.microsoft.com/sql/relational-databases/errors-events/database-engine-events-and-errors
 * https://learn.microsoft.com/azure/azure-sql/database/troubleshoot-common-errors-issues
 */
const meaning = /* @__PURE__ */ lookup(() => ({
  conflict: {
    [words.duplicate]: [1505, 2601, 2627],
    [words.foreignKey]: [547],
    [words.deadlock]: [1205],
    // Of snapshots, and of tables in memory.
    [overtaken]: [3960, 3961, 3966, 41_301, 41_302, 41_305, 41_325, 41_839],
    [words.exists]: [1801, 1913, 2705, 2714, 15_025, 15_233],
  },
  timeout: { [words.lock]: [1222], [words.time]: [8645] },
  invalid: {
    [words.notNull]: [233, 515],
    [words.syntax]: [
      102, 103, 105, 107, 109, 110, 111, 116, 120, 121, 137, 156, 164, 170, 195, 205, 213, 319, 343,
      1033, 1087, 4104, 4121, 4145, 8120, 8155, 8156, 8623, 8632,
    ],
    [words.value]: [
      206, 220, 232, 235, 241, 242, 244, 245, 248, 257, 260, 271, 273, 293, 295, 402, 529, 544,
      2628, 4815, 4816, 4863, 4895, 6355, 8023, 8101, 8114, 8115, 8134, 8152, 8169, 9420, 9803,
      13_609,
    ],
    [words.parameters]: [201, 214, 8144, 8145, 8146, 8162, 8178, 8179],
    'a trigger undid it': [3609, 3616],
  },
  'not-found': {
    [words.noTable]: [208, 1088, 2812, 3701, 4701, 4902, 15_151],
    [words.noColumn]: [207, 1911, 4924],
    [words.noDatabase]: [911, 4060, 4063, 4064],
  },
  unauthenticated: {
    [words.login]: [18_450, 18_452, 18_456, 18_470, 18_486, 18_487, 18_488, 40_532],
  },
  forbidden: {
    [words.permission]: [229, 230, 262, 297, 300, 916, 8189, 15_247, 40_615, 40_914, 47_073],
  },
  unsupported: { 'the database does not allow it': [3952, 3954, 41_333, 40_508] },
  unavailable: {
    [words.readOnly]: [3906, 3908],
    [words.killed]: [596],
    [words.stopping]: [
      615, 904, 921, 922, 923, 924, 926, 927, 942, 945, 976, 978, 979, 982, 983, 4221, 6005, 17_142,
      17_197, 18_401, 18_451, 18_461, 40_143, 40_166, 40_197, 40_540, 40_613, 42_108, 42_109,
    ],
  },
  throttled: {
    [words.overloaded]: [
      701, 802, 1101, 1105, 1204, 8628, 8651, 9002, 10_928, 10_929, 10_930, 10_936, 17_809, 17_830,
      40_501, 40_544, 40_549, 40_550, 40_551, 40_552, 40_553, 40_642, 49_918, 49_919, 49_920,
    ],
  },
  aborted: { [words.killed]: [3617] },
  closed: {
    [doomed]: [3930, 3931, 3998],
    [noTransaction]: [628, 3902, 3903, 3971, 3989, 6401],
  },
  internal: { [words.failed]: [605, 823, 824, 825, 3621, 8630] },
}))

/** SQL Server reports both by one number. */
const isCheck = /\bCHECK constraint\b/i

/** A server's error in our words. The same for every transport, which is why it lives here. */
export function classifySqlServer({ number, message }: SqlServerErrorLike): Failure {
  const failure = meaning(number)
  if (number === 547 && isCheck.test(message)) {
    failure.kind = 'invalid'
    failure.detail = words.check
  }
  if (failure.detail === overtaken) failure.retryable = true
  if (failure.kind === 'closed') failure.outcome = 'not-applied'
  if ([547, 1505, 2601, 2627].includes(number)) {
    // Their names stand before the value.
    const name = /\bconstraint ['"]([\w$#@.-]{1,128})['"]|unique index '([\w$#@.-]{1,128})'/i.exec(
      message,
    )
    const key = name?.[1] ?? name?.[2]
    if (key !== undefined) failure.detail = `${failure.detail}: ${key}`
  }
  return failure
}
