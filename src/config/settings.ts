import type { Problems } from './problems.ts'

/** `process.env`, or the bindings of a Worker. */
export type Env = Readonly<Record<string, unknown>>

/** The variables that set a field, the usual one first: `{ url: ['REDIS_URL'] }`. */
export type Variables = Readonly<Record<string, readonly string[]>>

/** What was given, from wherever, under the names by which the user knows it. */
export interface Settings {
  readonly values: Readonly<Record<string, unknown>>
  /** `REDIS_URL`, or `redis.url`. */
  nameOf(field: string): string
}

/** What the environment has of these; `undefined` if it has none, or only of the fields that are `ambient`. */
export function fromEnv(
  env: Env,
  variables: Variables,
  problems: Problems,
  ambient: readonly string[] = [],
): Settings | undefined {
  const values: Record<string, unknown> = {}
  const names: Record<string, string | undefined> = {}
  for (const [field, candidates] of Object.entries(variables)) {
    names[field] = candidates[0]
    const [name, ...rivals] = candidates.filter((candidate) => isSet(env, candidate))
    if (name === undefined) continue
    names[field] = name
    values[field] = env[name]
    for (const rival of rivals) problems.add(rival, `unset it or ${name}; they mean the same`)
  }
  if (Object.keys(values).every((field) => ambient.includes(field))) return undefined
  return { values, nameOf: (field) => names[field] ?? field }
}

/** The settings of the backend `name` as an object gives them; `undefined` if it is none. */
export function fromObject(
  name: string,
  given: unknown,
  fields: readonly string[],
  problems: Problems,
): Settings | undefined {
  if (typeof given !== 'object' || given === null) {
    problems.add(name, 'give it an object of settings')
    return undefined
  }
  const values: Record<string, unknown> = {}
  for (const [field, value] of Object.entries(given)) {
    if (value === undefined) continue
    if (fields.includes(field)) values[field] = value
    else problems.add(`${name}.${field}`, `take it out; there are only ${fields.join(', ')}`)
  }
  return { values, nameOf: (field) => `${name}.${field}` }
}

/** Names in `env` that are one slip away from a variable that is not set. */
export function addNearMisses(env: Env, variables: readonly string[], problems: Problems): void {
  const missing = variables.filter((name) => !isSet(env, name))
  for (const name of Object.keys(env)) {
    if (variables.includes(name)) continue
    const meant = missing.find((each) => isNear(name, each))
    if (meant !== undefined) problems.add(name, `rename it, if ${meant} is meant`)
  }
}

function isSet(env: Env, name: string): boolean {
  const value = env[name]
  if (value === undefined) return false
  // Kubernetes and Docker set REDIS_PORT=tcp://10.0.0.1:6379 for a service that is called redis.
  return !(name.endsWith('_PORT') && typeof value === 'string' && value.startsWith('tcp://'))
}

/** One letter too many, too few or wrong, or two that changed places. */
function isNear(a: string, b: string): boolean {
  let start = 0
  while (start < a.length && a[start] === b[start]) start++
  let end = 0
  const rest = Math.min(a.length, b.length) - start
  while (end < rest && a[a.length - 1 - end] === b[b.length - 1 - end]) end++
  const x = a.slice(start, a.length - end)
  const y = b.slice(start, b.length - end)
  return (x.length <= 1 && y.length <= 1) || (x.length === 2 && y === `${x[1]}${x[0]}`)
}
