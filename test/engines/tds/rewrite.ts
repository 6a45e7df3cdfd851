import { syntax } from './errors.ts'
import { type Environment, Expressions, type Typed, typeOf } from './expressions.ts'
import { rewriteDefinition } from './tables.ts'
import {
  code,
  group,
  isName,
  isSign,
  isWord,
  join,
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
import { typeText } from './types.ts'

/** What SQLite is to run for one statement of T-SQL. */
export interface Rewritten {
  /** One after the other, as one statement; what the last one gives is the result. */
  readonly sql: readonly string[]
  /** Of the columns that it gives, unless a `*` among them hides which is which. */
  readonly items: readonly Item[] | undefined
  /** Gives, without rows, the columns that some items are as. */
  readonly probe: string | undefined
  /** Of `select @a = 1`: the variables that take the last row. */
  readonly assigns: readonly string[]
  readonly writes: boolean
  /** That is changed, or made. */
  readonly table: string | undefined
  readonly written: ReadonlyMap<string, string>
  /** Names that stand alone in it: of tables, and their aliases. */
  readonly names: ReadonlySet<string>
}

export interface Item {
  readonly name: string
  readonly type?: string
  /** The column of the probe that it is as. */
  readonly as?: number
  readonly sum?: boolean
}

/** T-SQL that no one but SQL Server knows, in SQLite's words. Throws 102, 137 and 208. */
export function rewrite(verb: string, nodes: readonly Node[], environment: Environment): Rewritten {
  return new Rewriter(environment).statement(verb, nodes)
}

/** An expression alone, as a query of one row. */
export function rewriteValue(nodes: readonly Node[], environment: Environment): string {
  const rewriter = new Rewriter(environment)
  return join([word('select'), ...rewriter.expression(nodes)])
}

interface Listed {
  readonly name: string
  readonly typed: Typed
}

interface Read extends Listed {
  readonly nodes: Node[]
  readonly alias?: string
  readonly star?: boolean
  /** The variable that takes it. */
  readonly assigns?: string
}

/** Whether a SELECT gives the result, or what an INSERT takes, or is within another. */
type Role = 'result' | 'source' | 'inner'

class Rewriter {
  readonly #environment: Environment
  readonly #expressions: Expressions
  #items: Listed[] | undefined
  #assigns: string[] = []
  #probed: Node[] = []
  #columns: readonly string[] | undefined
  #table: string | undefined

  constructor(environment: Environment) {
    this.#environment = environment
    this.#expressions = new Expressions(environment, (nodes) => this.#query(nodes, 'inner'))
  }

  expression(nodes: readonly Node[]): Node[] {
    return this.#expressions.rewrite(nodes)
  }

  statement(verb: string, nodes: readonly Node[]): Rewritten {
    const defines = ['create', 'drop', 'alter', 'truncate'].includes(verb)
    const definition = defines ? rewriteDefinition(this, nodes) : undefined
    const sql = definition?.sql ?? [join(this.#query(nodes, 'result'))]
    const probes: Node[][] = []
    const items = this.#items?.map(({ name: alias, typed }): Item => {
      if (typed === undefined) return { name: alias }
      if ('type' in typed) return { name: alias, type: typeText(typed.type) }
      probes.push(this.expression(typed.as))
      return { name: alias, as: probes.length - 1, sum: typed.sum }
    })
    return {
      sql,
      items,
      probe: probes.length === 0 ? undefined : this.#probe(probes),
      assigns: this.#assigns,
      writes: verb !== 'select',
      table: definition?.table ?? this.#table,
      written: this.#expressions.written,
      names: this.#expressions.names,
    }
  }

  #probe(columns: readonly Node[][]): string {
    const list = listed(columns)
    const [before, from] = [this.#probed.slice(0, this.#withEnd), this.#probed.slice(this.#withEnd)]
    return join([...before, word('select'), ...list, ...from])
  }
  #withEnd = 0

  #query(nodes: readonly Node[], role: Role): Node[] {
    let at = 0
    let before: Node[] = []
    if (isWord(nodes[0], 'with')) {
      at = nodes.findIndex((node) => isWord(node, 'select', 'insert', 'update', 'delete'))
      if (at < 0) throw syntax('with')
      before = [word('with'), ...this.expression(nodes.slice(1, at))]
    }
    const body = nodes.slice(at)
    if (role === 'result') {
      this.#probed = [...before]
      this.#withEnd = before.length
    }
    switch ((body[0] as Token).value) {
      case 'insert':
        return [...before, ...this.#insert(body)]
      case 'update':
        return [...before, ...this.#update(body)]
      case 'delete':
        return [...before, ...this.#delete(body)]
      default:
        return [...before, ...this.#select(body, role)]
    }
  }

  // SELECT -----------------------------------------------------------------------------------------

  #select(nodes: readonly Node[], role: Role): Node[] {
    const written: Node[] = []
    let start = 0
    let limit: Node[] = []
    for (let at = 1; at <= nodes.length; at++) {
      const joined = isWord(nodes[at], 'union', 'except', 'intersect')
      if (at < nodes.length && !joined) continue
      const later = start > 0 && role === 'result'
      const core = this.#core(nodes.slice(start, at), later ? 'inner' : role)
      written.push(...core.nodes)
      limit = core.limit
      if (!joined) break
      written.push(nodes[at]!)
      if (isWord(nodes[at + 1], 'all')) written.push(nodes[++at]!)
      start = at + 1
    }
    return [...written, ...limit]
  }

  #core(nodes: readonly Node[], role: Role): { nodes: Node[]; limit: Node[] } {
    // VALUES, or a SELECT in brackets.
    if (!isWord(nodes[0], 'select')) return { nodes: this.expression(nodes), limit: [] }
    const clauses = cut(nodes, [
      ...['select', 'into', 'from', 'where', 'group', 'having', 'order', 'offset', 'option'],
    ])
    const list = [...(clauses.get('select') ?? [])]
    const head: Node[] = [word('select')]
    if (isWord(list[0], 'distinct', 'all')) head.push(list.shift()!)
    let limit: Node[] = []
    if (isWord(list[0], 'top')) {
      list.shift()
      const count = list.shift()!
      if (isWord(list[0], 'with')) list.splice(0, 2)
      limit = [word('limit'), ...this.expression([count])]
    }
    const from = clauses.get('from')
    const source = from === undefined ? [] : [word('from'), ...this.expression(from)]
    if (role === 'result') this.#probed.push(...source)
    const body: Node[] = [...head, ...this.#list(list, role), ...source]
    if (from !== undefined) body.push(...this.#interruptible(clauses.get('where')))
    else if (clauses.has('where')) body.push(word('where'), ...this.#clause(clauses, 'where'))
    if (clauses.has('group')) body.push(word('group'), ...this.#clause(clauses, 'group'))
    if (clauses.has('having')) body.push(word('having'), ...this.#clause(clauses, 'having'))
    if (clauses.has('order')) body.push(word('order'), ...this.#clause(clauses, 'order'))
    if (clauses.has('offset')) limit = this.#offset(clauses.get('offset')!)
    const into = clauses.get('into')
    if (into === undefined) return { nodes: body, limit }
    this.#table = nameOf(into.at(-1) as Token)
    this.#items = undefined
    const temporary = this.#table.startsWith('#') ? [word('temp')] : []
    const made = [word('create'), ...temporary, word('table'), ...this.expression(into)]
    return { nodes: [...made, word('as'), ...body], limit }
  }

  #clause(clauses: ReadonlyMap<string, readonly Node[]>, which: string): Node[] {
    return this.expression(clauses.get(which)!)
  }

  /** A function that ends the query once attention is asked for is asked at each row. */
  #interruptible(where: readonly Node[] | undefined): Node[] {
    const tick = code('tds_tick()')
    if (where === undefined) return [word('where'), ...tick]
    return [word('where'), group(...this.expression(where)), word('and'), ...tick]
  }

  #offset(nodes: readonly Node[]): Node[] {
    const rows = nodes.findIndex((node) => isWord(node, 'row', 'rows'))
    if (rows < 0) throw syntax('offset')
    const offset = this.expression(nodes.slice(0, rows))
    const end = nodes.findLastIndex((node) => isWord(node, 'row', 'rows'))
    // FETCH NEXT n ROWS ONLY
    const count =
      end === rows ? [sign('-'), number(1)] : this.expression(nodes.slice(rows + 3, end))
    return [word('limit'), ...count, word('offset'), ...offset]
  }

  #list(nodes: readonly Node[], role: Role): Node[] {
    const items = split(nodes).map((item) => this.#item(item))
    const star = items.some((item) => item.star)
    if (role === 'result') {
      this.#assigns = items.flatMap(({ assigns }) => assigns ?? [])
      this.#items = star ? undefined : items
    }
    return listed(
      items.map(({ nodes: value, alias }, at) => {
        const written = role === 'source' && !star ? this.#assigned(value, at) : value
        return alias === undefined ? written : [...written, word('as'), name(alias)]
      }),
    )
  }

  /** What an INSERT puts into a column becomes of the column's type. */
  #assigned(value: Node[], at: number): Node[] {
    if (value.length === 1 && isWord(value[0], 'default')) return value
    const column = this.#columns?.[at]
    return this.#into(value, column === undefined ? number(at) : string(column))
  }

  #into(value: Node[], column: Token): Node[] {
    const table = string(this.#table ?? '')
    return [word('tds_into'), group(table, sign(','), column, sign(','), ...value)]
  }

  #item(item: readonly Node[]): Read {
    const [first, second] = item
    if (item.length === 0) throw syntax(',')
    if (isSign(item.at(-1), '*') && (item.length === 1 || isSign(item.at(-2), '.'))) {
      return { name: '', typed: undefined, nodes: this.expression(item), star: true }
    }
    let value = item
    let alias: string | undefined
    if (isSign(second, '=') && first?.kind === 'variable') {
      const nodes = this.expression(item.slice(2))
      return { name: '', typed: undefined, nodes, assigns: first.value }
    }
    const before = item.at(-2)
    if (isSign(second, '=') && nameGiven(first) !== undefined) {
      alias = nameGiven(first)
      value = item.slice(2)
    } else if (isWord(before, 'as')) {
      alias = nameGiven(item.at(-1))
      value = item.slice(0, -2)
    } else if (before !== undefined && isBareAlias(before, item.at(-1)!)) {
      alias = nameGiven(item.at(-1))
      value = item.slice(0, -1)
    }
    const column = value.every((node) => isName(node) || isSign(node, '.'))
    const plain = column && !isWord(value[0], 'null', 'current_timestamp')
    const own = plain ? nameOf(value.at(-1) as Token) : ''
    const nodes = this.expression(value)
    // Without an alias SQLite would lend the text as the name.
    const typed = typeOf(value, this.#environment)
    return { name: alias ?? own, typed, nodes, ...(alias === undefined ? {} : { alias }) }
  }

  // INSERT, UPDATE and DELETE ----------------------------------------------------------------------

  #insert(nodes: readonly Node[]): Node[] {
    const rest = nodes.slice(isWord(nodes[1], 'into') ? 2 : 1)
    const start = rest.findIndex(
      (node, at) =>
        isWord(node, 'values', 'select', 'default') ||
        (isWord(node, 'with') && rest[at + 1]?.kind !== 'group'),
    )
    if (start < 0) throw syntax('insert')
    const into = cut([word('into'), ...rest.slice(0, start)], ['into', 'output'])
    const target = withoutHints(into.get('into')!)
    this.#setTable(target)
    const written: Node[] = [word('insert'), word('into')]
    // Not a call of a function of the table's name.
    const columns = target.at(-1)
    const list = columns?.kind === 'group' ? [columns] : []
    written.push(...this.expression(target.slice(0, target.length - list.length)), ...list)
    this.#columns = list[0] && split(list[0].nodes).map(([column]) => nameOf(column as Token))
    const source = rest.slice(start)
    if (isWord(source[0], 'select', 'with')) written.push(...this.#query(source, 'source'))
    else {
      for (const node of source) {
        if (node.kind !== 'group') written.push(node)
        else {
          const row = split(node.nodes).map((value) => this.expression(value))
          written.push(group(...listed(row.map((value, at) => this.#assigned(value, at)))))
        }
      }
    }
    return [...written, ...this.#returning(into.get('output'))]
  }

  #update(nodes: readonly Node[]): Node[] {
    const clauses = cut(nodes, ['update', 'set', 'output', 'from', 'where', 'option'])
    const named = withoutHints(clauses.get('update')!)
    const target = this.#target(named, clauses.get('from'))
    const others = isWord(target.at(-2), 'as') ? undefined : clauses.get('from')
    const from = others === undefined ? [] : [word('from'), ...this.expression(others)]
    const assignments = split(clauses.get('set') ?? []).map((assignment) => {
      const equals = assignment.findIndex((node) => isSign(node, '='))
      // SET t.a = 1: SQLite takes the column alone.
      const column = assignment[equals - 1]
      if (!isName(column)) throw syntax('=')
      const value = this.expression(assignment.slice(equals + 1))
      return [column, sign('='), ...this.#into(value, string(nameOf(column)))]
    })
    return [
      ...[word('update'), ...target, word('set')],
      ...listed(assignments),
      ...from,
      ...this.#interruptible(clauses.get('where')),
      ...this.#returning(clauses.get('output')),
    ]
  }

  #delete(nodes: readonly Node[]): Node[] {
    const rest = nodes.slice(1)
    const top = isWord(rest[0], 'top') ? rest.splice(0, 2)[1] : undefined
    if (isWord(rest[0], 'from')) rest.shift()
    const clauses = cut([word('delete'), ...rest], ['delete', 'output', 'from', 'where', 'option'])
    const target = this.#target(withoutHints(clauses.get('delete')!), clauses.get('from'))
    const where = this.#interruptible(clauses.get('where'))
    const limited =
      top === undefined
        ? where
        : [
            ...code('where rowid in'),
            group(
              ...[...code('select rowid from'), ...target, ...where],
              ...[word('limit'), ...this.expression([top])],
            ),
          ]
    const returning = this.#returning(clauses.get('output'))
    return [word('delete'), word('from'), ...target, ...limited, ...returning]
  }

  /** `update a set ... from orders a`: the table that the alias stands for. */
  #target(target: readonly Node[], from: readonly Node[] | undefined): Node[] {
    const alias = target.length === 1 && isName(target[0]) ? nameOf(target[0]) : undefined
    const meant = from?.at(-1)
    if (alias === undefined || !isName(meant) || nameOf(meant) !== alias || from!.length < 2) {
      this.#setTable(target)
      return this.expression(target)
    }
    const table = from!.slice(0, isWord(from!.at(-2), 'as') ? -2 : -1)
    this.#setTable(table)
    return [...this.expression(table), word('as'), name(alias)]
  }

  #setTable(nodes: readonly Node[]): void {
    const last = nodes.findLast((node): node is Token => isName(node))
    if (last !== undefined) this.#table = nameOf(last)
  }

  #returning(output: readonly Node[] | undefined): Node[] {
    if (output === undefined) return []
    // inserted.a, deleted.a
    const plain = output.filter((node, at) => {
      const named = (part: Node | undefined) => isWord(part, 'inserted', 'deleted')
      return (
        !(named(node) && isSign(output[at + 1], '.')) &&
        !(isSign(node, '.') && named(output[at - 1]))
      )
    })
    const list = this.#list(plain, 'result')
    if (this.#table !== undefined) this.#probed.push(word('from'), name(this.#table))
    return [word('returning'), ...list]
  }
}

/** With commas between. */
function listed(parts: readonly (readonly Node[])[]): Node[] {
  return parts.flatMap((part, at) => (at === 0 ? part : [sign(','), ...part]))
}

/** By the words that start them, in their order. */
function cut(nodes: readonly Node[], words: readonly string[]): Map<string, readonly Node[]> {
  const clauses = new Map<string, readonly Node[]>()
  let start = 0
  for (let at = 1; at <= nodes.length; at++) {
    const node = nodes[at]
    // IS DISTINCT FROM, and the comma of FETCH's OFFSET in a window.
    const starts = isWord(node, ...words) && !isWord(nodes[at - 1], 'distinct')
    if (at < nodes.length && !starts) continue
    clauses.set((nodes[start] as Token).value, nodes.slice(start + 1, at))
    start = at
  }
  for (const which of ['group', 'order']) {
    const clause = clauses.get(which)
    if (clause !== undefined && !isWord(clause[0], 'by')) throw syntax(which)
  }
  return clauses
}

/** `orders with (rowlock)` */
function withoutHints(target: readonly Node[]): readonly Node[] {
  return target.filter(
    (node, at) =>
      !(isWord(node, 'with') && target[at + 1]?.kind === 'group') &&
      !(node.kind === 'group' && isWord(target[at - 1], 'with')),
  )
}

const operators = new Set([
  ...['and', 'or', 'not', 'like', 'in', 'is', 'between', 'when', 'then', 'else', 'case', 'collate'],
])

/** T-SQL takes a string for one. */
function nameGiven(node: Node | undefined): string | undefined {
  if (node?.kind === 'string') return node.value
  return isName(node) ? nameOf(node) : undefined
}

/** `count(*) n`, `a b`: not `a is null`, `case ... end`, `a + b`. */
function isBareAlias(before: Node, last: Node): boolean {
  if (nameGiven(last) === undefined) return false
  if (isWord(last, 'end', 'null') || before.kind === 'sign') return false
  return !(before.kind === 'word' && operators.has(before.value))
}
