import { DriverFailure } from '../core/index.ts'

/** Which operators a client lets through. They are looked for in filters, updates and pipelines, at every depth. */
export interface OperatorPolicy<Allowed extends string = string> {
  /** Beyond the portable ones: `['$where']`. They are in the types of the client's filters as well. */
  readonly allow?: readonly Allowed[] | undefined
  /** Not these, wherever they stand, portable or not: `['$regex', '$lookup']`. */
  readonly deny?: readonly string[] | undefined
}

const words = (text: string) => text.split(' ').map((word) => `$${word}`)

const query = new Set(
  words(
    'eq ne gt gte lt lte in nin and or nor not exists type expr jsonSchema mod regex options text search ' +
      'language caseSensitive diacriticSensitive comment all elemMatch size bitsAllClear bitsAllSet ' +
      'bitsAnyClear bitsAnySet geoIntersects geoWithin near nearSphere geometry box polygon center ' +
      'centerSphere maxDistance minDistance uniqueDocs sampleRate',
  ),
)
const update = new Set(
  words(
    'set setOnInsert unset inc mul min max rename currentDate push addToSet pop pull pullAll bit',
  ),
)
/** Below `$push`, `$addToSet`, `$pull` and `$currentDate`, where `$pull` takes the operators of a filter too. */
const modifiers = new Set([...words('each slice sort position type'), ...query])
/** JavaScript at the server. */
const scripts = new Set(words('where function accumulator'))

/**
 * Unknown operators are refused in filters and updates, which are made of what users send in. A pipeline is
 * the programmer's, and servers learn new stages: there, only scripts and what is denied are refused.
 */
export class Operators {
  readonly #allowed: ReadonlySet<string>
  readonly #denied: ReadonlySet<string>

  constructor({ allow = [], deny = [] }: OperatorPolicy = {}) {
    this.#allowed = new Set(allow)
    this.#denied = new Set(deny)
  }

  query(name: string): void {
    this.#check(name, query.has(name))
  }

  update(name: string): void {
    this.#check(name, update.has(name))
  }

  modifier(name: string): void {
    this.#check(name, modifiers.has(name))
  }

  expression(name: string): void {
    this.#check(name, !scripts.has(name))
  }

  #check(name: string, portable: boolean): void {
    if (!this.#denied.has(name) && (portable || this.#allowed.has(name))) return
    // A known name may be shown; any other could be a value that stands where a name should.
    const known = portable || query.has(name) || update.has(name) || scripts.has(name)
    const detail = known ? `the operator ${name} is not allowed` : 'an operator is not allowed'
    throw new DriverFailure({ kind: 'invalid', outcome: 'not-applied', detail })
  }
}
