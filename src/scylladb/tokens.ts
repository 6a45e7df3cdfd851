type TokenType =
  /** A keyword or a name without quotes, upper case. */
  | 'word'
  /** `?`, `:name` or `:"Name"`. */
  | 'marker'
  | 'string'
  /** A name in quotes. */
  | 'name'
  /** Also a duration, a blob, and a part of a UUID. */
  | 'number'
  | 'comment'
  /** Any other character, by itself. */
  | 'symbol'
  /** Quotes or a comment without an end. */
  | 'unclear'

export interface Token {
  readonly type: TokenType
  readonly text: string
  readonly at: number
}

/**
 * A text as the server reads it, spaces left out. Never throws: what has no end is `unclear`.
 * https://cassandra.apache.org/doc/latest/cassandra/developing/cql/definitions.html
 */
export function* tokensOf(cql: string): Generator<Token, undefined> {
  /** Of the brackets that are open, and the token before: within braces, a colon may stand between key and value. */
  const open: string[] = []
  let before: Token | undefined
  let at = 0
  while (at < cql.length) {
    const separates = open.at(-1) === '{' && before !== undefined && !/^[{,:]$/.test(before.text)
    const { type, end } = endOf(cql, at, separates)
    if (type !== undefined) {
      const piece = cql.slice(at, end)
      const token = { type, text: type === 'word' ? piece.toUpperCase() : piece, at }
      if (type === 'symbol' && /[([{]/.test(piece)) open.push(piece)
      else if (type === 'symbol' && /[)\]}]/.test(piece)) open.pop()
      if (type !== 'comment') before = token
      yield token
    }
    at = end
  }
}

interface End {
  readonly end: number
  readonly type?: TokenType
}

const space = /\s/
const wordPart = /\w/
const numberPart = /[\w.]/

function endOf(cql: string, at: number, separates: boolean): End {
  const char = cql[at] as string
  const next = cql[at + 1] ?? ''
  if (space.test(char)) return { end: at + 1 }
  if (char === "'") return quoted(cql, at, "'", 'string')
  if (char === '"') return quoted(cql, at, '"', 'name')
  if (char === '$' && next === '$') return upTo(cql, at, '$$', 'string')
  if (char === '/' && next === '*') return upTo(cql, at, '*/', 'comment')
  if ((char === '-' && next === '-') || (char === '/' && next === '/')) {
    const end = cql.slice(at).search(/[\r\n]/)
    // At the end of the text, the server knows none.
    return end < 0 ? { end: cql.length, type: 'unclear' } : { end: at + end, type: 'comment' }
  }
  if (char === '?') return { end: at + 1, type: 'marker' }
  if (char === ':' && !separates) {
    if (next === '"') return { ...quoted(cql, at + 1, '"', 'marker') }
    if (/[a-z]/i.test(next)) return { end: run(cql, at + 1, wordPart), type: 'marker' }
  }
  if (/[a-z]/i.test(char)) return { end: run(cql, at, wordPart), type: 'word' }
  if (/\d/.test(char)) return { end: run(cql, at, numberPart), type: 'number' }
  return { end: at + 1, type: 'symbol' }
}

function run(cql: string, at: number, part: RegExp): number {
  let end = at + 1
  while (end < cql.length && part.test(cql[end] as string)) end++
  return end
}

function quoted(cql: string, at: number, quote: string, type: TokenType): End {
  for (let i = at + 1; i < cql.length; i++) {
    if (cql[i] !== quote) continue
    if (cql[i + 1] !== quote) return { end: i + 1, type }
    i++
  }
  return { end: cql.length, type: 'unclear' }
}

function upTo(cql: string, at: number, close: string, type: TokenType): End {
  const end = cql.indexOf(close, at + 2)
  return end < 0 ? { end: cql.length, type: 'unclear' } : { end: end + 2, type }
}

// Reading --------------------------------------------------------------------------------------------

/** For logs. */
export type StatementKind = 'SELECT' | 'INSERT' | 'UPDATE' | 'DELETE' | 'DDL' | 'OTHER'

/** What a text says of itself. */
export interface Reading {
  readonly kind: StatementKind
  /** It is a SELECT: it changes nothing, whatever else is in it. */
  readonly reads: boolean
  /** A lightweight transaction: `IF`. */
  readonly conditional: boolean
  /**
   * Whether the same statement, with the same timestamp, may be run twice:
   * - `yes`;
   * - `unclear` to who reads only the text: a function, an element of a list;
   * - `no`: a lightweight transaction, what adds to a column (a counter, a list).
   */
  readonly repeatable: 'yes' | 'unclear' | 'no'
  /** Where the parameters go, in order: their names, or `?`. */
  readonly markers: readonly string[]
  /** Where USING TTL may be put in, if it may, and how many markers stand before it. */
  readonly ttl: { readonly at: number; readonly word: string; readonly marker: number } | undefined
  /** Why it is not sent, if so. */
  readonly problem: string | undefined
}

const kinds: Readonly<Record<string, StatementKind>> = {
  SELECT: 'SELECT',
  INSERT: 'INSERT',
  UPDATE: 'UPDATE',
  DELETE: 'DELETE',
  CREATE: 'DDL',
  ALTER: 'DDL',
  DROP: 'DDL',
  TRUNCATE: 'DDL',
}

/** What may stand before a bracket and is no function, or is one that gives the same each time. */
const pure = new Set(
  `VALUES IN WHERE AND KEY CONTAINS TOKEN CAST TOJSON TO_JSON FROMJSON FROM_JSON TODATE TO_DATE TOTIMESTAMP
   TO_TIMESTAMP TOUNIXTIMESTAMP TO_UNIX_TIMESTAMP MINTIMEUUID MIN_TIMEUUID MAXTIMEUUID MAX_TIMEUUID`.split(
    /\s+/,
  ),
)

/** Reads one statement. Never throws. */
export function read(cql: string): Reading {
  const tokens: Token[] = []
  let problem: string | undefined
  for (const token of tokensOf(cql)) {
    if (token.type === 'unclear') problem = 'quotes or a comment have no end'
    if (token.type !== 'comment') tokens.push(token)
  }
  while (tokens.at(-1)?.text === ';') tokens.pop()
  const first = tokens[0]?.type === 'word' ? tokens[0].text : ''
  const kind = kinds[first] ?? 'OTHER'
  const markers = tokens.filter(({ type }) => type === 'marker').map(({ text }) => nameOf(text))
  const isNamed = markers.map((name) => name !== '?')
  if (problem === undefined) {
    if (tokens.length === 0) problem = 'the text has no statement'
    else if (first === 'USE') problem = 'a connection is shared: name the keyspace with the table'
    else if (first === 'BEGIN') problem = 'a batch is what `batch` takes'
    else if (tokens.some(({ text, type }) => type === 'symbol' && text === ';')) {
      problem = 'the text has more than one statement'
    } else if (isNamed.includes(true) && isNamed.includes(false)) {
      problem = 'the text has ? and names for parameters: use one of them'
    }
  }
  const changes = kind === 'INSERT' || kind === 'UPDATE' || kind === 'DELETE'
  const conditional = changes && tokens.some(({ type, text }) => type === 'word' && text === 'IF')
  return {
    kind,
    reads: problem === undefined && kind === 'SELECT',
    conditional,
    repeatable: conditional
      ? 'no'
      : changes
        ? repeatable(tokens, kind)
        : kind === 'SELECT'
          ? 'yes'
          : 'unclear',
    markers,
    ttl: problem === undefined ? placeOfTtl(tokens, kind) : undefined,
    problem,
  }
}

function nameOf(marker: string): string {
  if (marker === '?') return marker
  return marker[1] === '"' ? marker.slice(2, -1).replaceAll('""', '"') : marker.slice(1)
}

function repeatable(tokens: readonly Token[], kind: StatementKind): Reading['repeatable'] {
  let result: Reading['repeatable'] = 'yes'
  const words = tokens.map(({ type, text }) => (type === 'word' ? text : undefined))
  const set = kind === 'UPDATE' ? words.indexOf('SET') : -1
  const where = words.indexOf('WHERE', set)
  const from = words.indexOf('FROM')
  let bracket = 0
  for (const [i, { type, text }] of tokens.entries()) {
    if (type !== 'symbol') continue
    const before = tokens[i - 1]
    if (text === '(' && before !== undefined) {
      const isColumns = kind === 'INSERT' && bracket++ === 0
      const isCall = before.type === 'name' || (before.type === 'word' && !isPure(before.text))
      if (isCall && !isColumns) result = 'unclear'
    }
    // An element: of a list, others move up when it goes.
    if (text === '[' && (kind === 'DELETE' ? i < from : isAssigned(before, i, set))) {
      result = 'unclear'
    }
    if (set < 0 || i < set || (where >= 0 && i > where)) continue
    if ((text === '+' || text === '-') && before !== undefined && addsTo(tokens, i)) return 'no'
  }
  return result
}

/** `column[` of an assignment, and not `= [` of a list. */
function isAssigned(before: Token | undefined, i: number, set: number): boolean {
  return set >= 0 && i > set && (before?.type === 'word' || before?.type === 'name')
}

function isPure(word: string): boolean {
  return pure.has(word) || /^BLOB_?AS|_?ASBLOB$|_AS_BLOB$/.test(word)
}

/** `c = c + 1`, `c += ?`. To add to or take from a set or a map, if it is seen to be one, is the same twice. */
function addsTo(tokens: readonly Token[], i: number): boolean {
  const before = tokens[i - 1] as Token
  // The sign of a number.
  if (before.type === 'symbol' && /[=,([{:]/.test(before.text)) return false
  const after = tokens[i + 1]?.text === '=' ? tokens[i + 2] : tokens[i + 1]
  return before.text !== '}' && after?.text !== '{'
}

function placeOfTtl(tokens: readonly Token[], kind: StatementKind): Reading['ttl'] {
  if (kind !== 'INSERT' && kind !== 'UPDATE') return undefined
  const isWord = (word: string) => (token: Token) => token.type === 'word' && token.text === word
  if (tokens.some(isWord('TTL'))) return undefined
  const word = tokens.some(isWord('USING')) ? 'AND' : 'USING'
  const last = tokens.at(-1) as Token
  const set = tokens.findIndex(isWord('SET'))
  if (kind === 'UPDATE' && set < 0) return undefined
  const before = kind === 'INSERT' ? tokens : tokens.slice(0, set)
  return {
    at: kind === 'INSERT' ? last.at + last.text.length : (tokens[set] as Token).at,
    word,
    marker: before.filter(({ type }) => type === 'marker').length,
  }
}
