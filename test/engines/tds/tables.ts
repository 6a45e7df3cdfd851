import { syntax } from './errors.ts'
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
  sign,
  split,
  string,
  type Token,
  word,
} from './tokens.ts'
import { isText, parseType, type SqlType, storageType, typeText } from './types.ts'

/** Of what SQLite forgets: the types of identities, and the names of keys. */
export const catalogue = [
  'create table if not exists tds_identities (tbl text, col text, type text)',
  'create table if not exists tds_keys (tbl text, cols text, kind text, name text)',
]

interface Rewriter {
  expression(nodes: readonly Node[]): Node[]
}

interface Definition {
  readonly sql: readonly string[]
  readonly table?: string
}

/** CREATE, ALTER, DROP and TRUNCATE. */
export function rewriteDefinition(rewriter: Rewriter, nodes: readonly Node[]): Definition {
  const [verb, second] = nodes
  if (isWord(verb, 'truncate') && isWord(second, 'table')) {
    const table = tableName(nodes.slice(2))
    const where = `name = ${string(table).text}`
    return {
      table,
      sql: [`delete from ${name(table).text}`, `delete from sqlite_sequence where ${where}`],
    }
  }
  if (isWord(verb, 'drop')) return dropped(rewriter, nodes)
  if (isWord(verb, 'create') && isWord(second, 'table')) {
    return new Table(rewriter, nodes.slice(2)).definition()
  }
  if (isWord(verb, 'alter') && isWord(second, 'table')) return altered(rewriter, nodes)
  const index = nodes.findIndex((node) => isWord(node, 'index'))
  if (isWord(verb, 'create') && index > 0 && index < 4) return indexed(rewriter, nodes, index)
  if (isWord(verb, 'create') && isWord(second, 'view')) {
    return { sql: [join(rewriter.expression(nodes))] }
  }
  throw syntax(second?.kind === 'word' ? second.text : '')
}

function tableName(nodes: readonly Node[]): string {
  const last = nodes.findLast((node): node is Token => isName(node))
  if (last === undefined) throw syntax('table')
  return nameOf(last)
}

function dropped(rewriter: Rewriter, nodes: readonly Node[]): Definition {
  const kind = nodes[1]
  if (isWord(kind, 'table')) {
    const start = isWord(nodes[2], 'if') ? 4 : 2
    const sql = split(nodes.slice(start)).flatMap((part) => {
      const table = tableName(part)
      const condition = start === 4 ? 'if exists ' : ''
      const where = `where tbl = ${string(table).text}`
      return [
        `drop table ${condition}${name(table).text}`,
        `delete from tds_identities ${where}`,
        `delete from tds_keys ${where}`,
      ]
    })
    return { sql, table: tableName(nodes.slice(start)) }
  }
  // DROP INDEX i ON t
  const on = nodes.findIndex((node) => isWord(node, 'on'))
  return { sql: [join(rewriter.expression(on < 0 ? nodes : nodes.slice(0, on)))] }
}

function indexed(rewriter: Rewriter, nodes: readonly Node[], at: number): Definition {
  const unique = nodes.slice(1, at).some((node) => isWord(node, 'unique'))
  const include = nodes.findIndex((node) => isWord(node, 'include'))
  const rest = nodes.filter(
    (_, index) => index >= at && !(include > 0 && (index === include || index === include + 1)),
  )
  const kind = unique ? [word('create'), word('unique')] : [word('create')]
  return { sql: [join([...kind, ...rewriter.expression(rest)])] }
}

function altered(rewriter: Rewriter, nodes: readonly Node[]): Definition {
  const at = nodes.findIndex((node) => isWord(node, 'add', 'drop'))
  if (at < 0) throw syntax('alter')
  const table = tableName(nodes.slice(2, at))
  const head = `alter table ${name(table).text}`
  const rest = nodes.slice(at + 1)
  if (isWord(nodes[at], 'drop')) return { sql: [`${head} ${join(nodes.slice(at))}`], table }
  const sql = split(rest).map((column) => {
    const made = new Table(rewriter, [name(table), group(...column)])
    return `${head} add column ${join(made.items()[0]!)}`
  })
  return { sql, table }
}

// CREATE TABLE -----------------------------------------------------------------------------------

interface Key {
  readonly kind: 'PRIMARY KEY' | 'UNIQUE KEY'
  readonly name: string
  readonly columns: readonly string[]
}

/**
 * Columns keep the type that T-SQL gives them as SQLite's declared type, and are checked for it by a
 * function, which throws what SQL Server would.
 */
class Table {
  readonly #rewriter: Rewriter
  readonly #name: string
  readonly #body: readonly Node[]
  readonly #keys: Key[] = []
  #identity: { column: string; type: SqlType; seed: number } | undefined

  constructor(rewriter: Rewriter, nodes: readonly Node[]) {
    const body = nodes.findIndex((node) => node.kind === 'group')
    if (body < 1) throw syntax('table')
    this.#rewriter = rewriter
    this.#name = tableName(nodes.slice(0, body))
    this.#body = (nodes[body] as { nodes: readonly Node[] }).nodes
  }

  definition(): Definition {
    const items = this.items()
    const table = name(this.#name).text
    const temporary = this.#name.startsWith('#') ? 'temp ' : ''
    const quoted = string(this.#name).text
    const sql = [
      `create ${temporary}table ${table} (${items.map((item) => join(item)).join(', ')})`,
      ...this.#keys.map(({ kind, name: key, columns }) => {
        const cols = columns.map((column) => `${this.#name}.${column}`).join(', ')
        return `insert into tds_keys values (${quoted}, ${string(cols).text}, '${kind}', ${string(key).text})`
      }),
    ]
    if (this.#identity !== undefined) {
      const { column, type, seed } = this.#identity
      const values = `${quoted}, ${string(column).text}, '${typeText(type)}'`
      sql.push(`insert into tds_identities values (${values})`)
      if (seed !== 1) sql.push(`insert into sqlite_sequence values (${quoted}, ${seed - 1})`)
    }
    return { sql, table: this.#name }
  }

  items(): Node[][] {
    const parts = split(this.#body)
    const isTableLevel = (part: readonly Node[]) =>
      isWord(part[0], 'constraint', 'primary', 'unique', 'foreign', 'check', 'index')
    const columns = parts.filter((part) => !isTableLevel(part)).map((part) => this.#column(part))
    const constraints = parts.filter(isTableLevel).flatMap((part) => this.#constraint(part))
    const primary = this.#keys.find(({ kind }) => kind === 'PRIMARY KEY')?.columns ?? []
    for (const column of columns) {
      if (primary.includes(nameOf(column[0] as Token))) column.push(...code('not null'))
    }
    return [...columns, ...constraints]
  }

  #column(nodes: readonly Node[]): Node[] {
    const [column, first] = nodes
    if (!isName(column) || !isName(first)) throw syntax(isName(column) ? nameOf(column) : '(')
    const own = nameOf(column)
    const size = nodes[2]?.kind === 'group' ? nodes[2] : undefined
    const type = parseType(`${nameOf(first)}${size === undefined ? '' : `(${flat(size.nodes)})`}`)
    if (type === undefined) throw syntax(nameOf(first))
    let rest = nodes.slice(size === undefined ? 2 : 3)
    const identity = rest.findIndex((node) => isWord(node, 'identity'))
    if (identity >= 0) {
      const values = rest[identity + 1]
      const seed = values?.kind === 'group' ? Number(flat(values.nodes).split(',')[0]) : 1
      this.#identity = { column: own, type, seed }
      rest = rest.filter(
        (_, at) => at !== identity && (values?.kind !== 'group' || at !== identity + 1),
      )
    }
    const written: Node[] = [name(own)]
    if (identity < 0) written.push(word(storageType(type)))
    else written.push(word('INTEGER primary key autoincrement'))
    const constraints = this.#columnConstraints(own, rest, identity >= 0)
    const collated = constraints.some((node) => isWord(node, 'collate'))
    if ((isText(type) || type.name === 'uniqueidentifier') && !collated) {
      written.push(...code('collate nocase'))
    }
    const checked = [string(typeText(type)), string(this.#name), string(own), name(own)]
    const values = checked.flatMap((node, at) => (at === 0 ? [node] : [sign(','), node]))
    written.push(word('check'), group(word('tds_fits'), group(...values)), ...constraints)
    return written
  }

  #columnConstraints(column: string, nodes: readonly Node[], identity: boolean): Node[] {
    const written: Node[] = []
    let given: string | undefined
    for (let at = 0; at < nodes.length; at++) {
      const node = nodes[at]!
      if (isWord(node, 'constraint')) given = nameOf(nodes[++at] as Token)
      else if (isWord(node, 'primary', 'unique')) {
        const primary = isWord(node, 'primary')
        if (primary) at++
        while (isWord(nodes[at + 1], 'clustered', 'nonclustered', 'asc', 'desc')) at++
        this.#key(primary, given, [column])
        // The identity is the primary key already.
        if (!(primary && identity)) {
          written.push(...code(primary ? 'primary key' : 'unique'))
        }
        given = undefined
      } else if (isWord(node, 'not') && isWord(nodes[at + 1], 'null')) {
        at++
        written.push(...code('not null'))
      } else if (isWord(node, 'null')) {
        // As SQLite has it.
      } else if (isWord(node, 'check')) {
        const text = given ?? `CK__${this.#name}__${column}`
        written.push(
          word('constraint'),
          name(text),
          node,
          ...this.#rewriter.expression([nodes[++at]!]),
        )
        given = undefined
      } else if (isWord(node, 'default')) {
        given = undefined
        at++
        const call = nodes[at + 1]?.kind === 'group' && isName(nodes[at])
        const value = nodes.slice(at, at + (call || isSign(nodes[at], '-') ? 2 : 1))
        at += value.length - 1
        written.push(node, group(...this.#rewriter.expression(value)))
      } else if (isWord(node, 'collate')) {
        const binary = /_(bin2?|cs_)/i.test(nameOf(nodes[++at] as Token))
        written.push(...code(`collate ${binary ? 'binary' : 'nocase'}`))
      } else if (isWord(node, 'references', 'foreign')) {
        if (isWord(node, 'foreign')) at += 2
        const next = nodes.findIndex(
          (part, index) => index > at && isWord(part, 'constraint', 'check', 'unique', 'not'),
        )
        const end = next < 0 ? nodes.length : next
        const reference = nodes.slice(at + 1, end)
        const key = given ?? `FK__${this.#name}__${column}`
        written.push(
          word('constraint'),
          name(key),
          word('references'),
          ...this.#reference(reference),
        )
        given = undefined
        at = end - 1
      } else throw syntax(node.kind === 'group' ? '(' : node.text)
    }
    return written
  }

  /** Without SQL Server's schema; its actions are SQLite's. */
  #reference(nodes: readonly Node[]): Node[] {
    return nodes.at(-1)?.kind === 'group'
      ? [...this.#rewriter.expression(nodes.slice(0, -1)), nodes.at(-1)!]
      : this.#rewriter.expression(nodes)
  }

  #constraint(nodes: readonly Node[]): Node[][] {
    const named = isWord(nodes[0], 'constraint')
    const given = named ? nameOf(nodes[1] as Token) : undefined
    const rest = named ? nodes.slice(2) : nodes
    const [kind] = rest
    if (isWord(kind, 'primary', 'unique')) {
      const list = rest.find((node) => node.kind === 'group')
      if (list?.kind !== 'group') throw syntax('constraint')
      const columns = split(list.nodes).map((part) => nameOf(part[0] as Token))
      const primary = isWord(kind, 'primary')
      this.#key(primary, given, columns)
      const key = group(
        ...columns.flatMap((column, at) => (at === 0 ? [name(column)] : [sign(','), name(column)])),
      )
      const identity = this.#identity?.column
      if (primary && columns.length === 1 && columns[0] === identity) return []
      return [[...code(primary && identity === undefined ? 'primary key' : 'unique'), key]]
    }
    if (isWord(kind, 'check')) {
      const text = given ?? `CK__${this.#name}`
      const condition = this.#rewriter.expression(rest.slice(1))
      return [[word('constraint'), name(text), word('check'), ...condition]]
    }
    if (isWord(kind, 'foreign')) {
      const references = rest.findIndex((node) => isWord(node, 'references'))
      const columns = rest[2]
      if (references < 0 || columns === undefined) throw syntax('foreign')
      const key = name(given ?? `FK__${this.#name}`)
      const reference = this.#reference(rest.slice(references + 1))
      return [
        [
          word('constraint'),
          key,
          ...code('foreign key'),
          columns,
          word('references'),
          ...reference,
        ],
      ]
    }
    // An index among the columns is for speed alone.
    if (isWord(kind, 'index')) return []
    throw syntax('constraint')
  }

  #key(primary: boolean, given: string | undefined, columns: readonly string[]): void {
    const hash = [...this.#name].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) >>> 0, 7)
    const suffix = hash.toString(16).toUpperCase().padStart(8, '0')
    const made = primary
      ? `PK__${this.#name}__${suffix}`
      : `UQ__${this.#name}__${columns.join('_')}_${suffix}`
    const kind = primary ? 'PRIMARY KEY' : 'UNIQUE KEY'
    this.#keys.push({ kind, name: given ?? made, columns })
  }
}

function flat(nodes: readonly Node[]): string {
  return nodes.map((node) => (node.kind === 'group' ? '' : node.text)).join('')
}
