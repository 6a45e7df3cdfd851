import * as v from 'valibot'
import type { Problems } from './problems.ts'
import type { Settings } from './settings.ts'

/** What a value must be, and what to do if it is not. */
type Fields = Readonly<Record<string, readonly [schema: v.GenericSchema, fix: string]>>

type Valid<F extends Fields> = { -readonly [K in keyof F]?: v.InferOutput<F[K][0]> }

/** The values that are given and right. One that is wrong is a problem. */
export function validate<F extends Fields>(
  fields: F,
  { values, nameOf }: Settings,
  problems: Problems,
): Valid<F> {
  const valid: Record<string, unknown> = {}
  for (const [field, [schema, fix]] of Object.entries(fields)) {
    if (!Object.hasOwn(values, field)) continue
    // Our own words for every issue: valibot's would quote the value.
    const result = v.safeParse(schema, values[field], { message: fix, abortEarly: true })
    if (result.success) valid[field] = result.output
    else problems.add(nameOf(field), result.issues[0].message)
  }
  return valid as Valid<F>
}

// What more than one backend has. An environment gives numbers and flags as texts. -------------------

export function integer(min: number, max: number) {
  return v.pipe(
    v.union([v.number(), v.pipe(v.string(), v.regex(/^\d{1,10}$/), v.transform(Number))]),
    v.integer(),
    v.minValue(min),
    v.maxValue(max),
  )
}

export const flag = v.union([
  v.boolean(),
  v.pipe(
    v.picklist(['true', '1', 'false', '0']),
    v.transform((text) => text === 'true' || text === '1'),
  ),
])

/** A function is asked at connect, and again when what it gave was refused. */
export function secret(form: RegExp) {
  return v.union([
    v.pipe(v.string(), v.regex(form)),
    v.custom<() => string | Promise<string>>((value) => typeof value === 'function'),
  ])
}

export const aFunction = v.custom<typeof fetch>((value) => typeof value === 'function')

export const text = v.pipe(v.string(), v.nonEmpty())

export const milliseconds = v.pipe(v.number(), v.gtValue(0))
