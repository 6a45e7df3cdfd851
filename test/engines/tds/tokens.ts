import { syntax, unclosed } from './errors.ts'

/** A word, name, literal or sign of T-SQL. */
export interface Token {
  readonly kind: 'word' | 'name' | 'string' | 'number' | 'binary' | 'variable' | 'global' | 'sign'
  /** As SQLite is to read it. */
  readonly text: string
  /** Words, variables and globals in lower case; names and strings without their quotes. */
  readonly value: string
  /** N'...' */
  readonly national?: boolean
}

/** A token that may be a name. */
export type Named = Token & { readonly kind: 'name' | 'word' }

/** A token, or what stands between two brackets. */
export type Node = Token | Group

export interface Group {
  readonly kind: 'group'
  readonly nodes: readonly Node[]
}

const patterns: readonly (readonly [Token['kind'] | 'space', RegExp])[] = [
  ['space', /(?:\s+|--[^\n]*|\/\*[\s\S]*?\*\/)+/y],
  ['string', /[Nn]?'(?:[^']|'')*'/y],
  ['name', /\[(?:[^\]]|\]\])*\]|"(?:[^"]|"")*"/y],
  ['binary', /0[xX][\da-fA-F]*/y],
  ['number', /(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?/y],
  ['global', /@@\w+/y],
  ['variable', /@[\w$#@]+/y],
  ['word', /[\p{L}_#][\p{L}\d_$#@]*/uy],
  ['sign', /<>|<=|>=|!=|[-+*/%&|^]=|[-+*/%&|^~=<>.,;:()!]/y],
]

/** Words of SQLite's that are names in T-SQL. */
const foreign = new Set(['autoincrement', 'deferrable', 'limit', 'nothing', 'notnull', 'returning'])

/** Throws 102 and 105. */
export function tokenize(sql: string): Token[] {
  const tokens: Token[] = []
  for (let at = 0; at < sql.length; ) {
    const found = match(sql, at)
    if (found === undefined) {
      const rest = sql.slice(at)
      throw /^(?:[Nn]?'|")/.test(rest) ? unclosed(rest.replace(/^[Nn]?['"]/, '')) : syntax(sql[at]!)
    }
    at += found.text.length
    if (found.kind !== 'space') tokens.push(token(found.kind, found.text))
  }
  return tokens
}

function match(sql: string, at: number) {
  for (const [kind, pattern] of patterns) {
    pattern.lastIndex = at
    const text = pattern.exec(sql)?.[0]
    if (text !== undefined) return { kind, text }
  }
  return undefined
}

function token(kind: Token['kind'], text: string): Token {
  switch (kind) {
    case 'string': {
      const national = !text.startsWith("'")
      const quoted = national ? text.slice(1) : text
      return { kind, text: quoted, value: quoted.slice(1, -1).replaceAll("''", "'"), national }
    }
    case 'name': {
      const end = text.at(-1)!
      return name(text.slice(1, -1).replaceAll(end + end, end))
    }
    case 'word':
      // SQLite knows no # in names, and some words that T-SQL does not.
      return text.includes('#') || foreign.has(text.toLowerCase())
        ? name(text)
        : { kind, text, value: text.toLowerCase() }
    case 'binary':
      return { kind, text: `x'${text.slice(2)}'`, value: text.slice(2) }
    case 'variable':
      return { kind, text: text.toLowerCase(), value: text.toLowerCase() }
    default:
      return { kind, text, value: text.toLowerCase() }
  }
}

// Making and reading -----------------------------------------------------------------------------

export function word(text: string): Token {
  return { kind: 'word', text, value: text.toLowerCase() }
}

export function name(value: string): Token {
  return { kind: 'name', text: `"${value.replaceAll('"', '""')}"`, value }
}

export function sign(text: string): Token {
  return { kind: 'sign', text, value: text }
}

export function string(value: string): Token {
  return { kind: 'string', text: `'${value.replaceAll("'", "''")}'`, value }
}

export function number(value: bigint | number): Token {
  return { kind: 'number', text: String(value), value: String(value) }
}

export function group(...nodes: readonly Node[]): Group {
  return { kind: 'group', nodes }
}

/** Words of SQLite's own, read as T-SQL is: for the short ones that are put between. */
export function code(sql: string): Node[] {
  return nest(tokenize(sql))
}

export function isWord(node: Node | undefined, ...words: readonly string[]): boolean {
  return node?.kind === 'word' && words.includes(node.value)
}

/** Of a word, in lower case. */
export function wordOf(node: Node | undefined): string | undefined {
  return node?.kind === 'word' ? node.value : undefined
}

export function isSign(node: Node | undefined, text: string): boolean {
  return node?.kind === 'sign' && node.text === text
}

/** A name, quoted or not. */
export function isName(node: Node | undefined): node is Named {
  return node?.kind === 'name' || node?.kind === 'word'
}

/** As it was written, without its quotes. */
export function nameOf(node: Token): string {
  return node.kind === 'name' ? node.value : node.text
}

// Brackets ---------------------------------------------------------------------------------------

/** Throws 102 when brackets do not match. */
export function nest(tokens: readonly Token[]): Node[] {
  const open: Node[][] = [[]]
  for (const token of tokens) {
    if (isSign(token, '(')) open.push([])
    else if (isSign(token, ')')) {
      const nodes = open.pop()!
      if (open.length === 0) throw syntax(')')
      open.at(-1)!.push({ kind: 'group', nodes })
    } else open.at(-1)!.push(token)
  }
  if (open.length > 1) throw syntax(tokens.at(-1)!.value)
  return open[0]!
}

/** The text that SQLite is given. */
export function join(nodes: readonly Node[]): string {
  return nodes
    .map((node) => (node.kind === 'group' ? `(${join(node.nodes)})` : node.text))
    .join(' ')
}

/** At the commas that stand outside of brackets. */
export function split(nodes: readonly Node[]): Node[][] {
  const parts: Node[][] = [[]]
  for (const node of nodes) {
    if (isSign(node, ',')) parts.push([])
    else parts.at(-1)!.push(node)
  }
  return parts
}
