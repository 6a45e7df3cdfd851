import { DriverFailure } from '../core/index.ts'
import type { Key } from './commands.ts'
import type { Arg } from './driver.ts'

/** @internal */
export function invalid(detail: string): DriverFailure {
  return new DriverFailure({ kind: 'invalid', outcome: 'not-applied', detail })
}

const int64 = 2n ** 63n

/** By its letter, what goes out for an argument; `undefined` if it cannot be right. */
const convert = {
  /** A name that may be empty: a field. */
  f(input: unknown): Arg | undefined {
    if (typeof input === 'string') return input.isWellFormed() ? input : undefined
    return input instanceof Uint8Array ? input : undefined
  },
  k(input: unknown): Arg | undefined {
    return (input as Key | null)?.length ? convert.f(input) : undefined
  },
  v(input: unknown): Arg | undefined {
    if (typeof input === 'number') return Number.isFinite(input) ? input : undefined
    return typeof input === 'bigint' ? input : convert.f(input)
  },
  i(input: unknown): Arg | undefined {
    return Number.isSafeInteger(input) ? (input as number) : undefined
  },
  p(input: unknown): Arg | undefined {
    return (input as number) >= 1 ? convert.i(input) : undefined
  },
  z(input: unknown): Arg | undefined {
    return (input as number) >= 0 ? convert.i(input) : undefined
  },
  n(input: unknown = 1): Arg | undefined {
    if (typeof input !== 'bigint') return convert.i(input)
    return input >= -int64 && input < int64 ? input : undefined
  },
  d(input: unknown): Arg | undefined {
    return typeof input === 'number' ? convert.v(input) : undefined
  },
  s(input: unknown): Arg | undefined {
    if (input === Infinity) return '+inf'
    return input === -Infinity ? '-inf' : convert.d(input)
  },
  t(input: unknown): Arg | undefined {
    return typeof input === 'string' && /^([-+*$>]|\(?\d+(-(\d+|\*))?)$/.test(input)
      ? input
      : undefined
  },
}
type Letter = keyof typeof convert

const expected: Readonly<Record<Letter, string>> = {
  f: 'well-formed text or bytes',
  k: 'well-formed text or bytes, and not empty',
  v: 'well-formed text, bytes or a finite number',
  i: 'a whole number',
  p: 'a whole number from 1',
  z: 'a whole number from 0',
  n: 'a whole number of 64 bits',
  d: 'a finite number',
  s: 'a number',
  t: 'a stream ID (1700000000000-0)',
}

export function one(input: unknown, letter: Letter, what: string): Arg {
  const arg = convert[letter](input)
  if (arg === undefined) throw invalid(`${what} is not ${expected[letter]}`)
  return arg
}

/** Adds one argument; a capital letter takes a list as well, `P` and `E` names (keys, fields) with their values. */
export function add(args: Arg[], input: unknown, letter: string, what: string): void {
  const small = letter.toLowerCase()
  if (small === letter) {
    args.push(one(input, letter as Letter, what))
    return
  }
  const before = args.length
  if (small === 'p' || small === 'e') {
    if (typeof input !== 'object' || input === null)
      throw invalid(`${what} is not an object or Map`)
    for (const [name, value] of input instanceof Map ? input : Object.entries(input)) {
      args.push(one(name, small === 'p' ? 'k' : 'f', `a name in ${what}`))
      args.push(one(value, 'v', `a value in ${what}`))
    }
  } else {
    for (const item of Array.isArray(input) ? input : [input])
      args.push(one(item, small as Letter, what))
  }
  if (args.length === before) throw invalid(`${what} is empty`)
}
