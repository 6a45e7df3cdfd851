import { type Access, Refusal } from './face.ts'

/** What a server keeps about itself, its users' credentials among it. */
const internal: ReadonlySet<string> = new Set(['admin', 'config', 'local'])
const writing: ReadonlySet<string> = new Set(['$out', '$merge'])
const reaching: ReadonlySet<string> = new Set(['$lookup', '$graphLookup', '$unionWith', ...writing])

/** Which databases are served, by request and through stages of a pipeline. */
export class Databases {
  readonly #served: ReadonlySet<string> | undefined

  /** Default: all but those of the server itself. */
  constructor(served?: readonly string[]) {
    this.#served = served && new Set(served)
  }

  /** @throws Refusal */
  check(name: string): void {
    if (!(this.#served?.has(name) ?? !internal.has(name))) {
      throw new Refusal('forbidden', 'the gateway does not serve this database')
    }
  }

  /**
   * At every depth, and wherever the engine would refuse such a stage anyway.
   * @throws Refusal for a stage that writes, if the token only reads, and for one that reaches elsewhere
   */
  checkPipeline(pipeline: unknown, access: Access): void {
    // A value of BSON may have a million bytes, but no stage.
    if (typeof pipeline !== 'object' || pipeline === null || '_bsontype' in pipeline) return
    for (const [name, value] of Object.entries(pipeline) as [string, unknown][]) {
      if (access === 'read' && writing.has(name)) {
        throw new Refusal('forbidden', `this token has no permissions for the stage ${name}`)
      }
      if (reaching.has(name)) for (const database of databasesIn(value)) this.check(database)
      this.checkPipeline(value, access)
    }
  }
}

/** `$out: { db }`, `$merge: { into: { db } }`, `$lookup: { from: { db } }`. */
function databasesIn(stage: unknown): string[] {
  const { into, from } = (stage ?? {}) as { into?: unknown; from?: unknown }
  return [stage, into, from].flatMap((target) => {
    const { db } = (target ?? {}) as { db?: unknown }
    return typeof db === 'string' ? [db] : []
  })
}
