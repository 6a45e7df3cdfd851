import type { Problems } from './problems.ts'
import type { Settings } from './settings.ts'

interface Choice<A extends string> {
  /** `{ 'redis:': 'ioredis' }` */
  readonly byScheme: Readonly<Record<string, A>>
  /** Of an address that is given in other fields than `url`. */
  readonly otherwise: A | undefined
  /** Adapters that this runtime cannot use, since they need TCP. */
  readonly unable: readonly A[]
  /** Fields that not every adapter takes, with those that do. */
  readonly takenBy: Readonly<Record<string, readonly A[]>>
}

/** The adapter that is meant. `undefined` if there is a problem with that. `memory` overrides everything. */
export function chooseAdapter<A extends string>(
  { values, nameOf }: Settings,
  valid: { readonly url?: string; readonly adapter?: A },
  problems: Problems,
  { byScheme, otherwise, unable, takenBy }: Choice<A>,
): A | undefined {
  const scheme = valid.url === undefined ? undefined : byScheme[schemeOf(valid.url)]
  const adapter = valid.adapter ?? scheme ?? otherwise
  // For development and tests: whatever else is set is for elsewhere.
  if (adapter === undefined || adapter === 'memory') return adapter
  if (scheme !== undefined && scheme !== adapter) {
    problems.add(nameOf('adapter'), `unset it; the scheme of ${nameOf('url')} is for ${scheme}`)
    return undefined
  }
  if (unable.includes(adapter)) {
    problems.add(nameOf('url'), 'set it to https://host; this runtime cannot do TCP')
    return undefined
  }
  for (const field of Object.keys(values)) {
    if (takenBy[field]?.includes(adapter) !== false) continue
    problems.add(nameOf(field), `unset it; ${adapter} does not take it`)
  }
  return adapter
}

/** Of several hosts, too, which `URL` does not know. */
function schemeOf(url: string): string {
  return url.slice(0, url.indexOf(':') + 1).toLowerCase()
}
