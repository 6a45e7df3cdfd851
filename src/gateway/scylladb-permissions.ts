import { InfraError } from '../core/index.ts'
import { type Consistency, consistencies } from '../scylladb/index.ts'
import { read, type Token, tokensOf } from '../scylladb/tokens.ts'
import { type Call, Refusal } from './face.ts'
import type { Body } from './json.ts'

export interface Permitted {
  /** Default: all but those of the server itself; `system_schema` is served. */
  readonly keyspaces?: readonly string[] | undefined
  /** Default: all. */
  readonly consistencies?: readonly Consistency[] | undefined
}

/** What a server keeps about itself is in these: its users' credentials, and rows that are on their way. */
const internal = /^system(?:$|_(?!schema$))/
/** Who a node is, which everybody asks to learn whether it answers. */
const harmless = { keyspace: 'system', table: 'local' }

/** Texts that are remembered, and characters of each: who makes them of data has more. */
const maxKnown = 1000
const maxKnownLength = 10_000

/** Which statements pass, for whom. */
export class Permissions {
  readonly #keyspaces: ReadonlySet<string> | undefined
  readonly #consistencies: ReadonlySet<unknown>
  readonly #known = new Map<string, About>()

  /** @throws InfraError `GATEWAY_CONFIG` for a consistency level that there is not */
  constructor({ keyspaces, consistencies: levels = consistencies }: Permitted) {
    if (levels.some((level) => !consistencies.includes(level))) {
      throw new InfraError({
        kind: 'config',
        component: 'gateway',
        adapter: '-',
        operation: 'configure',
        detail: `scylladbConsistencies has another level than ${consistencies.join(', ')}`,
      })
    }
    this.#keyspaces = keyspaces && new Set(keyspaces)
    this.#consistencies = new Set(levels)
  }

  /** @throws Refusal for a consistency level, serial or not, that is not served. Default: the client's own */
  checkLevels({ consistency, serialConsistency }: Body): void {
    for (const level of [consistency, serialConsistency]) {
      if (level === undefined || this.#consistencies.has(level)) continue
      throw new Refusal('forbidden', 'the gateway does not serve this consistency level')
    }
  }

  /**
   * What the text itself does not show, the server refuses: it takes one statement a request.
   * @param current The keyspace of names without one
   * @throws Refusal for a statement that writes, if the token only reads, and for one that reaches elsewhere
   */
  checkStatement(cql: string, current: string | undefined, { access }: Call): void {
    const { reads, problem, target } = this.#about(cql)
    if (access === 'read' && !reads) throw new Refusal('forbidden', 'this token only reads')
    if (problem !== undefined) throw new Refusal('invalid', problem)
    if (target === undefined) {
      if (this.#keyspaces === undefined) return
      throw new Refusal('forbidden', 'the gateway serves no such statements')
    }
    const { keyspace = current, table } = target
    // Without any, the server refuses the name.
    if (keyspace === undefined || this.#serves(keyspace, table)) return
    throw new Refusal('forbidden', 'the gateway does not serve this keyspace')
  }

  #about(cql: string): About {
    let about = this.#known.get(cql)
    if (about === undefined) {
      about = aboutOf(cql)
      if (this.#known.size >= maxKnown) this.#known.clear()
      if (cql.length <= maxKnownLength) this.#known.set(cql, about)
    }
    return about
  }

  #serves(keyspace: string, table: string): boolean {
    if (this.#keyspaces !== undefined) return this.#keyspaces.has(keyspace)
    const isHarmless = keyspace === harmless.keyspace && table === harmless.table
    return isHarmless || !internal.test(keyspace)
  }
}

/** The word that stands before the table. Each is reserved: a column of that name is in quotes. */
const before: Readonly<Record<string, string>> = {
  SELECT: 'FROM',
  DELETE: 'FROM',
  INSERT: 'INTO',
  UPDATE: 'UPDATE',
}

interface Target {
  /** `undefined` if the statement names none. */
  readonly keyspace?: string
  readonly table: string
}

/** What matters of a text. */
interface About {
  readonly reads: boolean
  /** Why it is not run, if so. */
  readonly problem: string | undefined
  /** `undefined` for what is not about the rows of one table. */
  readonly target: Target | undefined
}

function aboutOf(cql: string): About {
  const { kind, reads, problem } = read(cql)
  const isAboutRows = Object.hasOwn(before, kind)
  if (problem !== undefined || !isAboutRows) return { reads, problem, target: undefined }
  const target = targetOf(kind, cql)
  const unclear = 'the statement does not say which table it is about'
  return { reads, problem: target === undefined ? unclear : undefined, target }
}

/**
 * The table that a statement is about; `undefined` for what is not of the form `FROM table` or
 * `FROM keyspace.table`: `FROM f(keyspace.table)`.
 * https://cassandra.apache.org/doc/latest/cassandra/developing/cql/ddl.html#common-definitions
 */
function targetOf(kind: string, cql: string): Target | undefined {
  const tokens = [...tokensOf(cql)].filter(({ type }) => type !== 'comment')
  const word = tokens.findIndex(({ type, text }) => type === 'word' && text === before[kind])
  const [first, dot, second, next] = tokens.slice(word + 1)
  const isQualified = isSymbol(dot, '.')
  const after = isQualified ? next : dot
  const ends =
    after === undefined ||
    after.type === 'word' ||
    isSymbol(after, ';') ||
    (kind === 'INSERT' && isSymbol(after, '('))
  if (word < 0 || !ends || !isName(first)) return undefined
  if (!isQualified) return { table: nameOf(first) }
  return isName(second) ? { keyspace: nameOf(first), table: nameOf(second) } : undefined
}

function isSymbol(token: Token | undefined, text: string): boolean {
  return token?.type === 'symbol' && token.text === text
}

function isName(token: Token | undefined): token is Token {
  return token?.type === 'word' || token?.type === 'name'
}

function nameOf({ type, text }: Token): string {
  return type === 'word' ? text.toLowerCase() : text.slice(1, -1).replaceAll('""', '"')
}
