import type { Dialect, StatementKind } from './driver.ts'

/**
 * Stands in a text where a value goes. No text that is sent can have one: it is refused, so that nothing in it
 * can pass for a value.
 */
export const valueMark = '\0'

export type TokenType =
  /** A keyword or a name without quotes, upper case. */
  | 'word'
  | 'value'
  | 'placeholder'
  | 'string'
  /** A name in quotes. */
  | 'name'
  | 'number'
  | 'comment'
  /** Any other character, by itself. */
  | 'symbol'
  /** Quotes or a comment without an end, or a comment that some servers run as code. */
  | 'unclear'

export interface Token {
  readonly type: TokenType
  readonly text: string
}

/* Lexical structure:
 * https://dev.mysql.com/doc/refman/8.4/en/language-structure.html
 * https://learn.microsoft.com/sql/t-sql/language-elements/transact-sql-syntax-conventions-transact-sql
 * https://sqlite.org/lang_keywords.html and https://sqlite.org/lang_comment.html
 */
const wordStart = /[\p{L}_#$]/u
const wordPart = /[\p{L}\p{N}_$#@]/u

/** A text as the server of that dialect reads it, spaces left out. Never throws: what has no end is `unclear`. */
export function* tokensOf(text: string, dialect: Dialect): Generator<Token, undefined> {
  let at = 0
  while (at < text.length) {
    const char = text[at] as string
    const end = endOf(text, at, dialect)
    if (end.type !== undefined) {
      const piece = text.slice(at, end.at)
      yield { type: end.type, text: end.type === 'word' ? piece.toUpperCase() : piece }
    } else if (!/\s/.test(char)) {
      yield { type: 'symbol', text: char }
    }
    at = end.at
  }
}

interface End {
  readonly at: number
  readonly type?: TokenType
}

function endOf(text: string, at: number, dialect: Dialect): End {
  const char = text[at] as string
  const next = text[at + 1]
  switch (char) {
    case valueMark:
      return { at: at + 1, type: 'value' }
    case "'":
      return quoted(text, at, "'", 'string', dialect === 'mysql')
    case '"':
      return dialect === 'mysql'
        ? quoted(text, at, '"', 'string', true)
        : quoted(text, at, '"', 'name', false)
    case '`':
      if (dialect === 'sqlserver') break
      return quoted(text, at, '`', 'name', false)
    case '[':
      if (dialect === 'mysql') break
      return quoted(text, at, ']', 'name', false)
    case '-':
      if (next !== '-') break
      // MySQL takes two hyphens for a comment only before a space or a control character.
      if (dialect === 'mysql' && !/^[\s\p{Cc}]?$/u.test(text[at + 2] ?? '')) break
      return { at: lineEnd(text, at), type: 'comment' }
    case '#':
      if (dialect !== 'mysql') break
      return { at: lineEnd(text, at), type: 'comment' }
    case '/':
      if (next !== '*') break
      return comment(text, at, dialect)
    case '?':
      if (dialect === 'sqlserver') break
      return { at: at + 1, type: 'placeholder' }
    case '@':
      return variable(text, at, dialect)
  }
  if (wordStart.test(char)) {
    let end = at + 1
    while (end < text.length && wordPart.test(text[end] as string)) end++
    return { at: end, type: 'word' }
  }
  if (/\d/.test(char)) {
    let end = at + 1
    while (end < text.length && /[\w.]/.test(text[end] as string)) end++
    return { at: end, type: 'number' }
  }
  return { at: at + 1 }
}

function quoted(text: string, at: number, close: string, type: TokenType, escapes: boolean): End {
  for (let i = at + 1; i < text.length; i++) {
    if (escapes && text[i] === '\\') i++
    else if (text[i] === close) {
      if (text[i + 1] !== close) return { at: i + 1, type }
      i++
    }
  }
  return { at: text.length, type: 'unclear' }
}

function lineEnd(text: string, at: number): number {
  const end = text.indexOf('\n', at)
  return end < 0 ? text.length : end + 1
}

/** They nest in SQL Server. MySQL and MariaDB run what is in a comment that begins with `!`, `M!` or `+`. */
function comment(text: string, at: number, dialect: Dialect): End {
  let depth = 0
  for (let i = at; i < text.length - 1; i++) {
    const two = text.slice(i, i + 2)
    if (two === '/*' && (depth === 0 || dialect === 'sqlserver')) depth++
    else if (two === '*/') depth--
    else continue
    if (depth === 0) {
      const runs = dialect === 'mysql' && /^\/\*M?!/.test(text.slice(at, at + 4))
      return { at: i + 2, type: runs ? 'unclear' : 'comment' }
    }
    i++
  }
  return { at: text.length, type: 'unclear' }
}

/** `@p1` is where a parameter goes in SQL Server; any other is a variable, a word like others. */
function variable(text: string, at: number, dialect: Dialect): End {
  let end = at + 1
  while (end < text.length && wordPart.test(text[end] as string)) end++
  const isPlaceholder = dialect === 'sqlserver' && /^@p\d+$/i.test(text.slice(at, end))
  return { at: end, type: isPlaceholder ? 'placeholder' : 'word' }
}

/** What a text says of itself. */
export interface Reading {
  readonly kind: StatementKind
  /** It can only read: to run it twice, or with a token that only reads, does no harm. */
  readonly reads: boolean
  /** Where parameters go that the text names itself, in the order of their first appearance. */
  readonly placeholders: readonly string[]
  readonly values: number
  /** Begins or ends a transaction, or changes what the next user of the connection would find. */
  readonly session: boolean
  /** Why no value may be put into this text, if so. */
  readonly problem: string | undefined
}

const kinds: Readonly<Record<string, StatementKind>> = {
  SELECT: 'SELECT',
  INSERT: 'INSERT',
  UPDATE: 'UPDATE',
  DELETE: 'DELETE',
  MERGE: 'MERGE',
  REPLACE: 'REPLACE',
  CALL: 'CALL',
  EXEC: 'CALL',
  EXECUTE: 'CALL',
  CREATE: 'DDL',
  ALTER: 'DDL',
  DROP: 'DDL',
  TRUNCATE: 'DDL',
  RENAME: 'DDL',
}

const readers = new Set([
  'SELECT',
  'WITH',
  'SHOW',
  'DESCRIBE',
  'DESC',
  'EXPLAIN',
  'VALUES',
  'TABLE',
])

/** Each makes of what begins as a reading statement one that writes. */
const writers = 'INTO INSERT UPDATE DELETE MERGE REPLACE'
/** In T-SQL another statement may follow without a semicolon: the reserved words with which one begins. */
const starters = `ALTER BACKUP BEGIN BULK CHECKPOINT COMMIT CREATE DBCC DEALLOCATE DECLARE DENY DROP EXEC EXECUTE
  GOTO GRANT IF KILL OPEN OPENDATASOURCE OPENQUERY OPENROWSET PRINT RAISERROR READTEXT RECONFIGURE RESTORE RETURN
  REVERT REVOKE ROLLBACK SAVE SET SETUSER SHUTDOWN TRUNCATE UPDATETEXT USE WAITFOR WHILE WRITETEXT`
const writersOf: Readonly<Record<Dialect, ReadonlySet<string>>> = {
  mysql: new Set(writers.split(' ')),
  sqlite: new Set(writers.split(' ')),
  sqlserver: new Set(`${writers} ${starters}`.split(/\s+/)),
}
/** Of these there is a function, too. */
const functions = new Set(['INSERT', 'REPLACE'])

const sessionWords: Readonly<Record<Dialect, ReadonlySet<string>>> = {
  mysql: new Set(
    'BEGIN START COMMIT ROLLBACK SAVEPOINT RELEASE LOCK UNLOCK USE SET XA HANDLER'.split(' '),
  ),
  sqlserver: new Set('COMMIT ROLLBACK SAVE USE'.split(' ')),
  sqlite: new Set('BEGIN COMMIT END ROLLBACK SAVEPOINT RELEASE ATTACH DETACH PRAGMA'.split(' ')),
}

/** Reads a text with `valueMark` where the values go. */
export function read(text: string, dialect: Dialect): Reading {
  const tokens: Token[] = []
  const placeholders = new Set<string>()
  let problem: string | undefined
  let anonymous = 0
  let values = 0
  for (const token of tokensOf(text, dialect)) {
    if (token.type === 'value') values++
    else if (token.text.includes(valueMark)) {
      problem ??= 'a value stands inside of quotes or a comment: write it without them'
    } else if (token.type === 'unclear') {
      problem ??= 'quotes or a comment have no end, or the comment is one that the server runs'
    } else if (token.type === 'placeholder') {
      placeholders.add(token.text === '?' ? `?${++anonymous}` : token.text.toLowerCase())
    }
    if (token.type !== 'comment') tokens.push(token)
  }
  const first = tokens[0]?.type === 'word' ? tokens[0].text : ''
  return {
    kind: kindOf(tokens, first),
    reads: problem === undefined && readers.has(first) && onlyReads(tokens, dialect),
    placeholders: [...placeholders],
    values,
    session: isOfSession(tokens, first, dialect),
    problem,
  }
}

function kindOf(tokens: readonly Token[], first: string): StatementKind {
  if (first !== 'WITH') return kinds[first] ?? 'OTHER'
  let depth = 0
  for (const { type, text } of tokens) {
    if (text === '(') depth++
    else if (text === ')') depth--
    else if (depth === 0 && type === 'word' && Object.hasOwn(kinds, text)) {
      return kinds[text] as StatementKind
    }
  }
  return 'OTHER'
}

function onlyReads(tokens: readonly Token[], dialect: Dialect): boolean {
  for (const [i, { type, text }] of tokens.entries()) {
    const after = tokens[i + 1]?.text
    if (text === ';' && after !== undefined) return false
    // `@a := 1` of MySQL.
    if (text === ':' && after === '=') return false
    if (type !== 'word') continue
    if (text === 'NEXT' && after === 'VALUE') return false
    if (writersOf[dialect].has(text) && !(functions.has(text) && after === '(')) return false
  }
  return true
}

function isOfSession(tokens: readonly Token[], first: string, dialect: Dialect): boolean {
  if (sessionWords[dialect].has(first)) return true
  if (dialect !== 'sqlserver' || first !== 'BEGIN') return false
  // A batch may well have a transaction that it ends by itself.
  const words = tokens.map(({ text }) => text)
  return words[1]?.startsWith('TRAN') === true && !words.includes('COMMIT')
}
