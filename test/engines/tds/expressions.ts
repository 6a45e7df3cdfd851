import { invalidObject, syntax, undeclared } from './errors.ts'
import {
  code,
  group,
  isName,
  isSign,
  isWord,
  type Node,
  name,
  nameOf,
  number,
  sign,
  split,
  string,
  type Token,
  word,
} from './tokens.ts'
import { parseType, type SqlType, sumOf, type Value, wide } from './types.ts'

/** What a statement may refer to, beside tables. */
export interface Environment {
  readonly database: string
  /** By name, in lower case, with the `@`. */
  readonly variables: ReadonlyMap<string, { readonly type: SqlType }>
  /** Of `@@rowcount` and the like, and of functions that look like them. Undefined for what is none. */
  known(name: string): { readonly value: Value; readonly type: SqlType } | undefined
  /** The rows of a view of the server's own, as SQL: `dm_exec_requests`. */
  view(name: string): string | undefined
}

/** Reads T-SQL at one depth of brackets after the other, and writes what SQLite understands. */
export class Expressions {
  readonly environment: Environment
  /** Names as they were written, by what SQLite is told: `dbo.orders` by `orders`. */
  readonly written = new Map<string, string>()
  /** That stand alone, in lower case. */
  readonly names = new Set<string>()
  readonly #query: (nodes: readonly Node[]) => Node[]

  constructor(environment: Environment, query: (nodes: readonly Node[]) => Node[]) {
    this.environment = environment
    this.#query = query
  }

  rewrite(nodes: readonly Node[]): Node[] {
    const written: Node[] = []
    for (let at = 0; at < nodes.length; at++) {
      const node = nodes[at]!
      if (node.kind === 'group') written.push(this.group(node.nodes))
      else if (isWord(node, 'with') && nodes[at + 1]?.kind === 'group') at++
      else if (isSign(node, '+') && joins(nodes[at - 1], nodes[at + 1], this.environment)) {
        written.push(sign('||'))
      } else if (isName(node)) {
        const chain = this.#chain(nodes, at)
        at = chain.end
        const after = nodes[at + 1]
        if (after?.kind === 'group' && isCall(chain.parts)) {
          at++
          written.push(...this.#call(chain.parts[0] as Token, after.nodes))
        } else written.push(...chain.parts)
      } else written.push(...this.#token(node))
    }
    return written
  }

  group(nodes: readonly Node[]): Node {
    return group(...(isWord(nodes[0], 'select', 'with') ? this.#query(nodes) : this.rewrite(nodes)))
  }

  #token(token: Token): Node[] {
    switch (token.kind) {
      case 'global': {
        const found = this.environment.known(token.value)
        if (found === undefined) throw undeclared(token.text)
        return literal(found.value)
      }
      case 'variable':
        if (!this.environment.variables.has(token.value)) throw undeclared(token.text)
        return [token]
      case 'number':
        // SQLite would round it.
        return token.text.includes('.') && token.text.replace(/\D/g, '').length > 15
          ? [{ ...token, text: `x'${Buffer.from(wide(token.text)).toString('hex')}'` }]
          : [token]
      default:
        return [token]
    }
  }

  /** `db.dbo.table` and `dbo.table` are `table` here; `sys.view` is its rows. */
  #chain(nodes: readonly Node[], start: number): { parts: Node[]; end: number } {
    const names = [nodes[start] as Token]
    let end = start
    while (isSign(nodes[end + 1], '.')) {
      const next = nodes[end + 2]
      if (isSign(next, '.')) {
        // db..table
        names.push(name('dbo'))
        end++
      } else if (isName(next) || isSign(next, '*')) {
        names.push(next as Token)
        end += 2
      } else throw syntax('.')
    }
    const whole = names.map((part) => (part.kind === 'sign' ? '*' : nameOf(part)))
    const is = (at: number, ...texts: string[]) => texts.includes(whole[at]?.toLowerCase() ?? '')
    let dropped = 0
    if (names.length > 2 && is(0, this.environment.database.toLowerCase(), 'tempdb')) dropped = 1
    if (names.length > dropped + 1 && is(dropped, 'dbo')) dropped++
    if (names.length > dropped + 1 && is(dropped, 'sys')) {
      const view = this.environment.view(whole[dropped + 1]!.toLowerCase())
      if (view === undefined) throw invalidObject(whole.slice(dropped).join('.'))
      return { parts: [group(...code(view))], end }
    }
    const kept = names.slice(dropped)
    if (kept.length === 1) this.names.add(nameOf(kept[0]!).toLowerCase())
    if (dropped > 0) this.written.set(whole.slice(dropped).join('.').toLowerCase(), whole.join('.'))
    if (kept.length === 1 && isWord(kept[0], 'current_timestamp')) {
      return { parts: code('getdate()'), end }
    }
    return { parts: kept.flatMap((part, at) => (at === 0 ? [part] : [sign('.'), part])), end }
  }

  #call(called: Token, values: readonly Node[]): Node[] {
    const known = this.environment.known(`${called.value}()`)
    if (known !== undefined) return literal(known.value)
    const cast = readCast(called, values)
    if (cast !== undefined) {
      const { type, text, value } = cast
      if (type === undefined) throw syntax(text)
      const attempt = called.value.startsWith('try_')
      return [
        word(attempt ? 'tds_try_cast' : 'tds_cast'),
        group(...this.rewrite(value), sign(','), string(text)),
      ]
    }
    const renamed = renames[called.value]
    if (/^date(add|diff|part|name)$/.test(called.value)) {
      // The unit is a bare word.
      const [unit, ...rest] = values
      return [
        word(`tds_${called.value}`),
        group(string((unit as Token).value), ...this.rewrite(rest)),
      ]
    }
    return [renamed === undefined ? called : word(renamed), this.group(values)]
  }
}

const renames: Readonly<Record<string, string>> = {
  isnull: 'ifnull',
  count_big: 'count',
  left: 'tds_left',
  right: 'tds_right',
  ceiling: 'ceil',
}

/** Not `in (...)`, `values (...)`, `t (a, b)` after INTO: but those are words that stay as they are. */
function isCall(parts: readonly Node[]): boolean {
  return parts.length === 1 && parts[0]!.kind === 'word'
}

/** `cast(x as int)` and `convert(int, x)`. */
function readCast(called: Token, values: readonly Node[]) {
  let typed: readonly Node[]
  let value: readonly Node[]
  if (isWord(called, 'cast', 'try_cast')) {
    const as = values.findLastIndex((node) => isWord(node, 'as'))
    if (as < 0) return undefined
    typed = values.slice(as + 1)
    value = values.slice(0, as)
  } else if (isWord(called, 'convert', 'try_convert')) {
    const [first, second] = split(values)
    if (second === undefined) return undefined
    typed = first!
    value = second
  } else return undefined
  const text = typed
    .map((node) =>
      node.kind === 'group'
        ? `(${node.nodes.map((part) => (part as Token).text).join('')})`
        : nameOf(node),
    )
    .join('')
  return { text, value, type: parseType(text, 30) }
}

/** `+` between strings. */
function joins(before: Node | undefined, after: Node | undefined, environment: Environment) {
  return [before, after].some((node) => {
    if (node?.kind === 'string') return true
    if (node?.kind !== 'variable') return false
    return /char|text/.test(environment.variables.get(node.value)?.type.name ?? '')
  })
}

function literal(value: Value): Node[] {
  if (value === null) return [word('null')]
  if (typeof value === 'string') return [string(value)]
  if (value instanceof Uint8Array) throw syntax('0x')
  return value < 0 ? [sign('-'), number(-value)] : [number(value)]
}

// Types ------------------------------------------------------------------------------------------

const int: SqlType = { name: 'int' }
const datetime2: SqlType = { name: 'datetime2', scale: 7 }

const results: Readonly<Record<string, SqlType>> = {
  ...{ count: int, len: int, datalength: int, charindex: int, datediff: int, datepart: int },
  ...{ year: int, month: int, day: int, object_id: int, sign: int },
  count_big: { name: 'bigint' },
  getdate: { name: 'datetime' },
  getutcdate: { name: 'datetime' },
  sysdatetime: datetime2,
  sysutcdatetime: datetime2,
  sysdatetimeoffset: { name: 'datetimeoffset', scale: 7 },
  newid: { name: 'uniqueidentifier' },
  db_name: { name: 'nvarchar', length: 128 },
  databasepropertyex: { name: 'sql_variant' },
}

/** What an expression is known to be; or the column, or sum of one, that it is as. */
export type Typed =
  | { readonly type: SqlType }
  | { readonly as: readonly Node[]; readonly sum: boolean }
  | undefined

export function typeOf(nodes: readonly Node[], environment: Environment): Typed {
  const [first, second] = nodes
  if (first === undefined) return undefined
  if (nodes.length === 1) return typeOfToken(first, environment)
  if (isSign(first, '-') && nodes.length === 2) return typeOfToken(second!, environment)
  if (first.kind !== 'word' || second?.kind !== 'group' || nodes.length > 2) return undefined
  const known = environment.known(`${first.value}()`)
  if (known !== undefined) return { type: known.type }
  const cast = readCast(first, second.nodes)
  if (cast !== undefined) return cast.type === undefined ? undefined : { type: cast.type }
  const result = results[first.value]
  if (result !== undefined) return { type: result }
  if (!isWord(first, 'min', 'max', 'sum', 'avg', 'isnull', 'coalesce')) return undefined
  const value = split(second.nodes)[0]!.filter((node) => !isWord(node, 'distinct'))
  const sum = isWord(first, 'sum', 'avg')
  if (value.every((node) => isName(node) || isSign(node, '.'))) return { as: value, sum }
  const typed = typeOf(value, environment)
  return sum && typed !== undefined && 'type' in typed ? { type: sumOf(typed.type) } : typed
}

function typeOfToken(node: Node, environment: Environment): Typed {
  if (node.kind === 'group') return typeOf(node.nodes, environment)
  switch (node.kind) {
    case 'variable': {
      const variable = environment.variables.get(node.value)
      return variable === undefined ? undefined : { type: variable.type }
    }
    case 'global': {
      const known = environment.known(node.value)
      return known === undefined ? undefined : { type: known.type }
    }
    case 'string': {
      const length = Math.max(1, node.national ? node.value.length : Buffer.byteLength(node.value))
      const most = node.national ? 4000 : 8000
      return {
        type: { name: node.national ? 'nvarchar' : 'varchar', length: length > most ? -1 : length },
      }
    }
    case 'number':
      return { type: typeOfNumber(node.text) }
    case 'binary':
      return { type: { name: 'varbinary', length: Math.max(1, node.value.length / 2) } }
    default:
      if (isWord(node, 'null')) return { type: int }
      return isWord(node, 'current_timestamp') ? { type: { name: 'datetime' } } : undefined
  }
}

function typeOfNumber(text: string): SqlType {
  if (/e/i.test(text)) return { name: 'float' }
  const [whole = '', fraction] = text.split('.')
  if (fraction === undefined && BigInt(whole) < 2n ** 31n) return int
  const scale = fraction?.length ?? 0
  const precision = Math.max(1, whole.replace(/^0+/, '').length + scale)
  return { name: 'numeric', precision, scale }
}
