import { syntax } from './errors.ts'
import {
  isName,
  isSign,
  isWord,
  type Node,
  nameOf,
  nest,
  type Token,
  tokenize,
  wordOf,
} from './tokens.ts'
import { parseType, type SqlType } from './types.ts'

/** One statement of a batch. */
export type Statement =
  | { readonly kind: 'query'; readonly verb: string; readonly nodes: readonly Node[] }
  | { readonly kind: 'declare'; readonly variables: readonly Declared[] }
  | { readonly kind: 'assign'; readonly name: string; readonly value: readonly Node[] }
  | { readonly kind: 'option'; readonly words: readonly string[] }
  | {
      readonly kind: 'begin' | 'commit' | 'rollback' | 'save'
      readonly name?: string | undefined
    }
  | {
      readonly kind: 'if'
      readonly condition: readonly Node[]
      readonly yes: readonly Statement[]
      readonly no: readonly Statement[]
    }
  | { readonly kind: 'waitfor'; readonly delay: Node }
  | { readonly kind: 'print'; readonly value: readonly Node[] }
  | { readonly kind: 'throw' | 'raiserror'; readonly values: readonly Node[] }
  | {
      readonly kind: 'exec'
      readonly procedure: string
      readonly result?: string | undefined
      readonly values: readonly Argument[]
    }
  | { readonly kind: 'kill'; readonly spid: number }
  | { readonly kind: 'use'; readonly database: string }
  | { readonly kind: 'bulk'; readonly table: string; readonly columns: readonly string[] }
  | { readonly kind: 'return' }

export interface Declared {
  readonly name: string
  readonly type: SqlType
  readonly value?: readonly Node[]
}

/** Of EXEC: `@name = value output`. */
export interface Argument {
  readonly name?: string
  readonly value: Node
  readonly output: boolean
}

/** The statements of a text. Throws 102 for what is none. */
export function parseBatch(sql: string): Statement[] {
  const parser = new Parser(nest(tokenize(sql)))
  const statements = parser.list(() => false)
  return statements
}

/** `@a int, @b nvarchar(max) output`: the second parameter of sp_executesql. */
export function parseDeclarations(sql: string): Declared[] {
  return new Parser(nest(tokenize(sql))).declarations()
}

const verbs = new Set([
  ...['select', 'insert', 'update', 'delete', 'create', 'drop', 'alter', 'truncate', 'with'],
])
const starters = new Set([
  ...verbs,
  ...['begin', 'commit', 'rollback', 'save', 'set', 'declare', 'if', 'else', 'end', 'exec'],
  ...['execute', 'print', 'throw', 'raiserror', 'waitfor', 'kill', 'use', 'return', 'merge'],
])

class Parser {
  readonly #nodes: readonly Node[]
  #at = 0

  constructor(nodes: readonly Node[]) {
    this.#nodes = nodes
  }

  list(ends: () => boolean): Statement[] {
    const statements: Statement[] = []
    for (;;) {
      while (isSign(this.#peek(), ';')) this.#at++
      if (this.#peek() === undefined || ends()) return statements
      statements.push(...this.#statement())
    }
  }

  declarations(): Declared[] {
    const declared: Declared[] = []
    do {
      const name = this.#variable()
      if (isWord(this.#peek(), 'as')) this.#at++
      const type = this.#type()
      const value = isSign(this.#peek(), '=') ? this.#expression(1) : undefined
      if (isWord(this.#peek(), 'output', 'out')) this.#at++
      declared.push({ name, type, ...(value === undefined ? {} : { value }) })
    } while (this.#comma())
    return declared
  }

  #peek(ahead = 0): Node | undefined {
    return this.#nodes[this.#at + ahead]
  }

  #next(): Node {
    const node = this.#nodes[this.#at++]
    if (node === undefined) throw this.#wrong()
    return node
  }

  #wrong(): Error {
    const node = this.#peek() ?? this.#nodes[this.#nodes.length - 1]
    return syntax(node === undefined ? '' : node.kind === 'group' ? '(' : nameOrText(node))
  }

  #expect(...words: readonly string[]): string {
    const node = this.#next()
    const found = wordOf(node)
    if (found !== undefined && words.includes(found)) return found
    this.#at--
    throw this.#wrong()
  }

  #takes(...words: readonly string[]): boolean {
    if (!isWord(this.#peek(), ...words)) return false
    this.#at++
    return true
  }

  #comma(): boolean {
    if (!isSign(this.#peek(), ',')) return false
    this.#at++
    return true
  }

  #variable(): string {
    const node = this.#next()
    if (node.kind === 'variable') return node.value
    this.#at--
    throw this.#wrong()
  }

  #type(): SqlType {
    const node = this.#next()
    let text = isName(node) ? nameOf(node) : ''
    // `double precision`, `character varying`
    if (isWord(this.#peek(), 'precision', 'varying')) text += ` ${nameOf(this.#next() as Token)}`
    const size = this.#peek()
    if (size?.kind === 'group') {
      this.#at++
      text += `(${size.nodes.map((part) => (part.kind === 'group' ? '' : part.text)).join('')})`
    }
    const type = parseType(text)
    if (type === undefined) throw syntax(text)
    return type
  }

  /** Up to a comma, a semicolon or the next statement. */
  #expression(skip = 0): Node[] {
    this.#at += skip
    const nodes: Node[] = []
    let cases = 0
    for (let node = this.#peek(); node !== undefined; node = this.#peek()) {
      if (isSign(node, ';') || isSign(node, ',') || isWord(node, 'output', 'out')) break
      if (isWord(node, 'case')) cases++
      else if (cases > 0 && isWord(node, 'else')) {
        // Of the CASE.
      } else if (cases > 0 && isWord(node, 'end')) cases--
      else if (node.kind === 'word' && starters.has(node.value)) break
      nodes.push(node)
      this.#at++
    }
    if (nodes.length === 0) throw this.#wrong()
    return nodes
  }

  #statement(): Statement[] {
    const node = this.#peek()
    if (node?.kind !== 'word') throw this.#wrong()
    if (node.value === 'insert' && isWord(this.#peek(1), 'bulk')) return [this.#bulk()]
    if (verbs.has(node.value)) return [this.#query()]
    this.#at++
    switch (node.value) {
      case 'declare':
        return [{ kind: 'declare', variables: this.declarations() }]
      case 'set':
        return [this.#set()]
      case 'begin':
        return this.#begin()
      case 'commit':
      case 'rollback':
      case 'save':
        return [this.#transaction(node.value)]
      case 'if':
        return [this.#if()]
      case 'print':
        return [{ kind: 'print', value: this.#expression() }]
      case 'raiserror': {
        const values = this.#next()
        if (values.kind !== 'group') throw this.#wrong()
        return [{ kind: 'raiserror', values: values.nodes }]
      }
      case 'throw': {
        const values: Node[] = []
        do values.push(...this.#expression(), comma)
        while (this.#comma())
        return [{ kind: 'throw', values: values.slice(0, -1) }]
      }
      case 'waitfor':
        this.#expect('delay')
        return [{ kind: 'waitfor', delay: this.#next() }]
      case 'kill':
        return [{ kind: 'kill', spid: Number((this.#next() as Token).text) }]
      case 'use':
        return [{ kind: 'use', database: nameOf(this.#next() as Token) }]
      case 'return':
        if (this.#peek() !== undefined && !isSign(this.#peek(), ';')) this.#expression()
        return [{ kind: 'return' }]
      case 'exec':
      case 'execute':
        return [this.#exec()]
      default:
        this.#at--
        throw this.#wrong()
    }
  }

  #set(): Statement {
    const node = this.#next()
    if (node.kind === 'variable') {
      if (!isSign(this.#peek(), '=')) throw this.#wrong()
      return { kind: 'assign', name: node.value, value: this.#expression(1) }
    }
    if (node.kind !== 'word') throw this.#wrong()
    const words = [node.value]
    // SET TRANSACTION ISOLATION LEVEL READ COMMITTED; SET LOCK_TIMEOUT -1; SET NOCOUNT ON
    for (let part = this.#peek(); part !== undefined && !isSign(part, ';'); part = this.#peek()) {
      if (part.kind === 'group' || (part.kind === 'word' && starters.has(part.value))) break
      words.push(part.value)
      this.#at++
    }
    return { kind: 'option', words }
  }

  #begin(): Statement[] {
    if (isWord(this.#peek(), 'tran', 'transaction')) return [this.#transaction('begin')]
    const statements = this.list(() => isWord(this.#peek(), 'end'))
    this.#expect('end')
    return statements
  }

  #transaction(kind: 'begin' | 'commit' | 'rollback' | 'save'): Statement {
    const named = this.#takes('tran', 'transaction') || this.#takes('work')
    const node = this.#peek()
    const isNamed =
      named && (node?.kind === 'name' || (node?.kind === 'word' && !starters.has(node.value)))
    if (!isNamed && kind === 'save') throw this.#wrong()
    if (!isNamed) return { kind }
    this.#at++
    return { kind, name: nameOf(node as Token) }
  }

  #if(): Statement {
    const condition = this.#expression()
    const yes = this.#statement()
    while (isSign(this.#peek(), ';') && isWord(this.#peek(1), 'else')) this.#at++
    const no = this.#takes('else') ? this.#statement() : []
    return { kind: 'if', condition, yes, no }
  }

  #exec(): Statement {
    let result: string | undefined
    if (this.#peek()?.kind === 'variable') {
      result = this.#variable()
      this.#at++
    }
    const procedure: string[] = []
    do {
      const part = this.#next()
      if (!isName(part)) throw this.#wrong()
      procedure.push(nameOf(part))
    } while (isSign(this.#peek(), '.') && this.#at++)
    const values: Argument[] = []
    const first = this.#peek()
    if (first !== undefined && !isSign(first, ';') && !this.#starts(first)) {
      do values.push(this.#argument())
      while (this.#comma())
    }
    return { kind: 'exec', procedure: procedure.join('.'), result, values }
  }

  #argument(): Argument {
    const named = this.#peek()?.kind === 'variable' && isSign(this.#peek(1), '=')
    const name = named ? this.#variable().slice(1) : undefined
    if (named) this.#at++
    const value = this.#next()
    const output = this.#takes('output', 'out')
    return { value, output, ...(name === undefined ? {} : { name }) }
  }

  #starts(node: Node): boolean {
    return node.kind === 'word' && starters.has(node.value)
  }

  #bulk(): Statement {
    this.#at += 2
    let table = ''
    while (isName(this.#peek()) || isSign(this.#peek(), '.')) {
      const part = this.#next() as Token
      if (part.kind !== 'sign') table = nameOf(part)
    }
    const columns = this.#next()
    if (columns.kind !== 'group') throw this.#wrong()
    if (this.#takes('with')) this.#at++
    const names = columns.nodes.filter(
      (node, at): node is Token => isName(node) && (at === 0 || isSign(columns.nodes[at - 1], ',')),
    )
    return { kind: 'bulk', table, columns: names.map(nameOf) }
  }

  /** What SQLite is to run. Its end is where the next statement starts: T-SQL needs no semicolons. */
  #query(): Statement {
    const start = this.#at
    let verb = (this.#next() as Token).value
    // Words that belong to this statement the first time: INSERT ... SELECT, UPDATE ... SET.
    const expected = new Set(follows[verb] ?? [])
    if (verb === 'create' && !isWord(this.#peek(), 'view')) expected.clear()
    let cases = 0
    for (let node = this.#peek(); node !== undefined && !isSign(node, ';'); node = this.#peek()) {
      const previous = this.#nodes[this.#at - 1]
      if (verb === 'insert' && isWord(node, 'values', 'default')) expected.clear()
      if (isWord(node, 'case')) cases++
      else if (cases > 0 && isWord(node, 'end')) cases--
      else if (cases > 0 && isWord(node, 'else')) {
        // Of the CASE.
      } else if (node.kind === 'word' && starters.has(node.value) && !isSign(previous, '.')) {
        const hint = node.value === 'with' && this.#peek(1)?.kind === 'group'
        const united = isWord(previous, 'union', 'all', 'except', 'intersect')
        if (expected.delete(node.value)) {
          if (verb === 'with') {
            verb = node.value
            for (const next of follows[verb] ?? []) expected.add(next)
            for (const next of follows.with!) expected.delete(next)
          }
        } else if (!hint && !(united && node.value === 'select')) break
      }
      this.#at++
    }
    return { kind: 'query', verb, nodes: this.#nodes.slice(start, this.#at) }
  }
}

const follows: Readonly<Record<string, readonly string[]>> = {
  insert: ['select', 'with'],
  update: ['set'],
  with: ['select', 'insert', 'update', 'delete'],
  alter: ['drop', 'alter', 'set', 'with'],
  create: ['select', 'with'],
  // DROP TABLE IF EXISTS
  drop: ['if'],
}

const comma: Token = { kind: 'sign', text: ',', value: ',' }

function nameOrText(token: Token): string {
  return token.kind === 'name' || token.kind === 'string' ? token.value : token.text
}
