import type { Failure } from '../core/index.ts'
import { lookup, words } from './errors.ts'

/** What SQL Server says, in its words, which may quote values. */
export interface SqlServerErrorLike {
  readonly number: number
  readonly message: string
}

/** https://learn.microsoft.com/sql/relational-databases/errors-events/database-engine-events-and-errors */
const meaning = lookup({
  conflict: {
    [words.duplicate]: [2601, 2627],
    [words.foreignKey]: [547],
    [words.deadlock]: [1205],
    'another transaction has changed the row meanwhile: this one was rolled back': [3960, 3961],
    [words.exists]: [1801, 1913, 2705, 2714, 15_025, 15_233],
  },
  timeout: { [words.lock]: [1222], [words.time]: [-2, 8645] },
  invalid: {
    [words.notNull]: [515],
    [words.syntax]: [
      102, 105, 107, 109, 110, 111, 116, 120, 137, 156, 164, 170, 195, 205, 1033, 8120, 8155,
    ],
    [words.value]: [
      206, 220, 232, 235, 241, 242, 244, 245, 248, 257, 260, 293, 295, 402, 2628, 4815, 4816, 4863,
      8114, 8115, 8134, 8152, 8169, 9420, 13_609,
    ],
    [words.parameters]: [201, 214, 8144, 8145, 8146, 8162, 8178, 8179],
  },
  'not-found': {
    [words.noTable]: [208, 2812, 3701, 4902],
    [words.noColumn]: [207, 4924],
    [words.noDatabase]: [911, 4060, 4063],
  },
  unauthenticated: { [words.login]: [18_450, 18_452, 18_456, 18_470, 18_487, 18_488, 40_532] },
  forbidden: { [words.permission]: [229, 230, 262, 300, 916, 3616, 15_247, 40_615, 47_073] },
  unavailable: {
    [words.readOnly]: [3906, 3908, 40_641],
    [words.stopping]: [
      64, 233, 596, 904, 921, 922, 923, 924, 926, 927, 942, 945, 976, 978, 979, 983, 4221, 6005,
      10_053, 10_054, 10_060, 17_142, 17_197, 40_197, 40_540, 40_613, 42_108, 42_109,
    ],
  },
  throttled: {
    [words.overloaded]: [
      701, 802, 1101, 1105, 8628, 8651, 9002, 10_928, 10_929, 10_936, 17_809, 17_830, 40_501,
      40_544, 40_549, 40_550, 40_551, 40_552, 40_553, 49_918, 49_919, 49_920,
    ],
  },
  aborted: { [words.killed]: [3617, 6104] },
  internal: { [words.failed]: [605, 823, 824, 825, 3621, 8630, 8632] },
})

/** SQL Server reports both by one number. */
const isCheck = /\bCHECK constraint\b/i

/** A server's error in our words. The same for every transport, which is why it lives here. */
export function classifySqlServer({ number, message }: SqlServerErrorLike): Failure {
  const failure = meaning(number)
  if (number === 547 && isCheck.test(message)) {
    failure.kind = 'invalid'
    failure.detail = words.check
  }
  if (number === 3960 || number === 3961) failure.retryable = true
  if (number === 2601 || number === 2627 || number === 547) {
    // Their names stand before the value.
    const name = /\bconstraint ['"]([\w$#@.-]{1,128})['"]|unique index '([\w$#@.-]{1,128})'/i.exec(
      message,
    )
    const key = name?.[1] ?? name?.[2]
    if (key !== undefined) failure.detail = `${failure.detail}: ${key}`
  }
  return failure
}
