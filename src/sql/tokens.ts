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
  /** Where it begins. */
  readonly at: number
}

/* Lexical structure:
 * https://dev.mysql.com/doc/refman/8.4/en/language-structure.html
 * https://learn.microsoft.com/sql/t-sql/language-elements/transact-sql-syntax-conventions-transact-sql
 * https://sqlite.org/lang_keywords.html and https://sqlite.org/lang_comment.html
 */
const wordStart = /[\p{L}_#$]/u
const wordPart = /[\p{L}\p{N}_$#@]/u
/** In MySQL, `#` begins a comment and `@` a variable within what looks like a word. */
const mysqlPart = /[\p{L}\p{N}_$]/u
/** Where it ends, a word may begin without a space between: `1.5into`. */
const number = /0x[\da-f]*|\d+(?:\.\d*)?(?:e(?:[+-]?\d+)?)?/iy

/** A text as the server of that dialect reads it, spaces left out. Never throws: what has no end is `unclear`. */
export function* tokensOf(text: string, dialect: Dialect): Generator<Token, undefined> {
  let at = 0
  while (at < text.length) {
    const char = text[at] as string
    const end = endOf(text, at, dialect)
    if (end.type !== undefined) {
      const piece = text.slice(at, end.at)
      yield { type: end.type, text: end.type === 'word' ? upperCase(piece) : piece, at }
    } else if (!/\s/.test(char)) {
      yield { type: 'symbol', text: char, at }
    }
    at = end.at
  }
}

/** Keywords are of ASCII: `ſelect` would become one, and is a name to every server. */
function upperCase(word: string): string {
  return isAscii.test(word) ? word.toUpperCase() : word
}

const isAscii = /^\p{ASCII}*$/u

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
      // MySQL takes two hyphens for a comment only before a space or a control character, those of ASCII.
      if (dialect === 'mysql' && !/^[\0- \x7f]?$/.test(text[at + 2] ?? '')) break
      return lineComment(text, at)
    case '#':
      if (dialect !== 'mysql') break
      return lineComment(text, at)
    case '/':
      if (next !== '*') break
      return comment(text, at, dialect)
    case '?':
      if (dialect === 'sqlserver') break
      return { at: dialect === 'sqlite' ? wordEnd(text, at, dialect) : at + 1, type: 'placeholder' }
    case ':':
    case '$':
      if (dialect !== 'sqlite' || !wordPart.test(next ?? '')) break
      return { at: wordEnd(text, at, dialect), type: 'placeholder' }
    case '@':
      return variable(text, at, dialect)
  }
  if (wordStart.test(char)) return { at: wordEnd(text, at, dialect), type: 'word' }
  number.lastIndex = at
  if (number.test(text)) return { at: number.lastIndex, type: 'number' }
  return { at: at + 1 }
}

function wordEnd(text: string, at: number, dialect: Dialect): number {
  const part = dialect === 'mysql' ? mysqlPart : wordPart
  let end = at + 1
  while (end < text.length && part.test(text[end] as string)) end++
  return end
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

/** To its last character, the line feed. Whether a carriage return alone ends it, servers do not agree. */
function lineComment(text: string, at: number): End {
  const feed = text.indexOf('\n', at)
  const end = feed < 0 ? text.length : feed + 1
  return { at: end, type: /\r(?!\n)/.test(text.slice(at, end)) ? 'unclear' : 'comment' }
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

/** `@p1` is where a parameter goes in SQL Server, and any in SQLite; others are variables, words like others. */
function variable(text: string, at: number, dialect: Dialect): End {
  const end = wordEnd(text, at, dialect)
  const isPlaceholder =
    dialect === 'sqlite' || (dialect === 'sqlserver' && /^@p\d+$/i.test(text.slice(at, end)))
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
  /** Ends a transaction that it runs in, by committing it. */
  readonly commits: boolean
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

/** What T-SQL does not know as a statement, it runs as a procedure of that name. */
const readersOf: Readonly<Record<Dialect, ReadonlySet<string>>> = {
  mysql: new Set('SELECT WITH SHOW DESCRIBE DESC EXPLAIN VALUES TABLE'.split(' ')),
  sqlserver: new Set('SELECT WITH'.split(' ')),
  sqlite: new Set('SELECT WITH EXPLAIN VALUES'.split(' ')),
}

/** Each makes of what begins as a reading statement one that writes. */
const writers = 'INTO INSERT UPDATE DELETE MERGE REPLACE'
/**
 * In T-SQL another statement may follow without a semicolon: the words with which one begins or that it must have,
 * and those that reach another server, or lock as a write would.
 */
const starters = `ALTER BACKUP BEGIN BULK CHECKPOINT CLOSE COMMIT CONVERSATION CREATE DBCC DEALLOCATE DECLARE DENY
  DISK DROP DUMP EXEC EXECUTE GOTO GRANT IF KILL LOAD OPEN OPENDATASOURCE OPENQUERY OPENROWSET PRINT RAISERROR
  READTEXT RECEIVE RECONFIGURE RESTORE RETURN REVERT REVOKE ROLLBACK SAVE SET SETUSER SHUTDOWN TABLOCKX TRIGGER
  TRUNCATE UPDATETEXT UPDLOCK USE WAITFOR WHILE WRITETEXT XLOCK`
const writersOf: Readonly<Record<Dialect, ReadonlySet<string>>> = {
  mysql: new Set(writers.split(' ')),
  sqlite: new Set(writers.split(' ')),
  sqlserver: new Set(`${writers} ${starters}`.split(/\s+/)),
}
/** Of these there is a function, too. */
const functionsOf: Readonly<Record<Dialect, ReadonlySet<string>>> = {
  mysql: new Set(['INSERT', 'REPLACE']),
  sqlserver: new Set(['REPLACE']),
  sqlite: new Set(['REPLACE']),
}
/** Functions of MySQL and MariaDB that change something, or read the server's files. */
const acting = new Set(
  'NEXTVAL SETVAL GET_LOCK RELEASE_LOCK RELEASE_ALL_LOCKS LOAD_FILE'.split(' '),
)

const sessionWords: Readonly<Record<Dialect, ReadonlySet<string>>> = {
  mysql: new Set(
    'BEGIN START COMMIT ROLLBACK SAVEPOINT RELEASE LOCK UNLOCK USE SET XA HANDLER'.split(' '),
  ),
  sqlserver: new Set('COMMIT ROLLBACK SAVE USE'.split(' ')),
  sqlite: new Set('BEGIN COMMIT END ROLLBACK SAVEPOINT RELEASE ATTACH DETACH PRAGMA'.split(' ')),
}

/** https://dev.mysql.com/doc/refman/8.4/en/implicit-commit.html */
const committing = new Set(
  `ALTER ANALYZE CACHE CHECK CREATE DROP FLUSH GRANT IMPORT INSTALL OPTIMIZE RENAME REPAIR RESET REVOKE TRUNCATE
  UNINSTALL`.split(/\s+/),
)

/** Reads a text with `valueMark` where the values go. */
export function read(text: string, dialect: Dialect): Reading {
  const tokens: Token[] = []
  const placeholders = new Set<string>()
  let problem: string | undefined
  let hides = false
  let anonymous = 0
  let values = 0
  for (const token of tokensOf(text, dialect)) {
    if (token.type === 'value') values++
    else if (token.text.includes(valueMark)) {
      problem ??= 'a value stands inside of quotes or a comment: write it without them'
    } else if (token.type === 'unclear') {
      problem ??= 'quotes or a comment have no end, or the comment is one that the server runs'
    } else if (token.type === 'placeholder') {
      placeholders.add(token.text === '?' ? `?#${++anonymous}` : token.text.toLowerCase())
    }
    if (token.type !== 'comment') tokens.push(token)
    else if (dialect === 'sqlserver' && otherLineEnd.test(token.text)) hides = true
  }
  const first = tokens[0]?.type === 'word' ? tokens[0].text : ''
  return {
    kind: kindOf(tokens, first),
    reads:
      problem === undefined &&
      !hides &&
      readersOf[dialect].has(first) &&
      onlyReads(tokens, dialect),
    placeholders: [...placeholders],
    values,
    session: isOfSession(tokens, first, dialect),
    commits: dialect === 'mysql' && committing.has(first) && tokens[1]?.text !== 'TEMPORARY',
    problem,
  }
}

/** In a comment up to the end of its line, one that some server may take for the end. */
const otherLineEnd = /^--.*[\r\v\f\x85\u2028\u2029](?!\n?$)/s

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

/** What is not clear does not only read. */
function onlyReads(tokens: readonly Token[], dialect: Dialect): boolean {
  const writers = writersOf[dialect]
  for (const [i, { type, text, at }] of tokens.entries()) {
    const next = tokens[i + 1]
    const after = next?.text
    switch (type) {
      case 'symbol':
        if (text === ';' && after !== undefined) return false
        // `@a := 1` of MySQL.
        if (text === ':' && after === '=') return false
        // Some servers may take it for a space, or pass over it within a word.
        if (!isAscii.test(text)) return false
        break
      case 'string':
        // With NO_BACKSLASH_ESCAPES it would end elsewhere.
        if (quoted(text, 0, text[0] as string, type, false).at !== text.length) return false
        break
      case 'number':
        // Of `1exec`, the number may be 1 or 1e.
        if (/e$/i.test(text) && next?.at === at + text.length && writers.has(`E${after}`)) {
          return false
        }
        break
      case 'word':
        if (text === 'NEXT' && after === 'VALUE') return false
        if (acting.has(text) && after === '(') return false
        if (functionsOf[dialect].has(text) && after === '(') break
        if (writers.has(keyword(text))) return false
    }
  }
  return true
}

/**
 * The keyword that a server may find in a word: `$1into` is money of SQL Server, followed by INTO. No server is
 * known to take letters of other alphabets for those of ASCII; none gets the chance.
 */
function keyword(word: string): string {
  const ascii = isAscii.test(word)
    ? word
    : word
        .normalize('NFKD')
        .toUpperCase()
        .replace(/\P{ASCII}/gu, '')
  return ascii.replace(/^\$\d*/, '')
}

function isOfSession(tokens: readonly Token[], first: string, dialect: Dialect): boolean {
  if (sessionWords[dialect].has(first)) return true
  if (dialect !== 'sqlserver' || first !== 'BEGIN') return false
  // A batch may well have a transaction that it ends by itself.
  const words = tokens.map(({ text }) => text)
  return words[1]?.startsWith('TRAN') === true && !words.includes('COMMIT')
}
