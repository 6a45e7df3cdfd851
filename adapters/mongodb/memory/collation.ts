import type { Document } from '../../../src/mongodb/index.ts'
import { refuse, unsupported } from './refusals.ts'

/** By the collation's strength. */
const sensitivities = ['base', 'accent', 'variant', 'variant', 'variant'] as const

/** `undefined` for the simple one, which compares code points. */
let current: Intl.Collator | undefined

/** Of the operation under way: operations run one at a time, and never wait. */
export function collator(): Intl.Collator | undefined {
  return current
}

/** Compares texts by the collation while `work` runs. */
export function collated<R>(collation: Document | undefined, work: () => R): R {
  current = collation === undefined ? undefined : collatorOf(collation)
  try {
    return work()
  } finally {
    current = undefined
  }
}

function collatorOf(collation: Document): Intl.Collator | undefined {
  const {
    locale,
    strength = 3,
    caseLevel,
    caseFirst,
    numericOrdering,
    alternate,
    ...others
  } = collation
  if (locale === 'simple') return undefined
  const [other] = Object.keys(others)
  if (other !== undefined)
    unsupported(`collations with ${/^[a-zA-Z]+$/.test(other) ? other : 'that'}`)
  const sensitivity = sensitivities[Number(strength) - 1]
  if (sensitivity === undefined) refuse('badValue', 'the strength of a collation is from 1 to 5')
  try {
    return new Intl.Collator(String(locale).replace('_', '-'), {
      sensitivity: caseLevel === true && sensitivity === 'base' ? 'case' : sensitivity,
      numeric: numericOrdering === true,
      caseFirst: caseFirst === 'upper' || caseFirst === 'lower' ? caseFirst : 'false',
      ignorePunctuation: alternate === 'shifted',
    })
  } catch {
    return refuse('badValue', 'the locale of a collation is not valid')
  }
}
