import type { Isolation } from '../sql/index.ts'
import { type Token, tokensOf } from '../sql/tokens.ts'
import { Refusal } from './face.ts'

/** What a text asks of the session, and not of the tables. */
export type Command =
  | { readonly does: 'begin' | 'commit' | 'rollback' }
  | { readonly does: 'savepoint' | 'rollbackTo' | 'release'; readonly name: string }
  /** Of the next transaction. */
  | { readonly does: 'isolation'; readonly level: Isolation }
  /** It asks for what is the case anyway. */
  | { readonly does: 'nothing' }

/** With which statements begin that would change what the next user of a connection finds. */
const ofSession = new Set(
  `BEGIN START COMMIT ROLLBACK SAVEPOINT RELEASE LOCK UNLOCK USE SET XA HANDLER PREPARE EXECUTE DEALLOCATE`.split(
    ' ',
  ),
)

/** By all of their words, since what has more of them means something else. */
const commands: Readonly<Record<string, Command>> = {
  BEGIN: { does: 'begin' },
  'BEGIN WORK': { does: 'begin' },
  'START TRANSACTION': { does: 'begin' },
  'START TRANSACTION READ WRITE': { does: 'begin' },
  COMMIT: { does: 'commit' },
  'COMMIT WORK': { does: 'commit' },
  ROLLBACK: { does: 'rollback' },
  'ROLLBACK WORK': { does: 'rollback' },
  'SET NAMES UTF8MB4': { does: 'nothing' },
  "SET NAMES 'utf8mb4'": { does: 'nothing' },
  'SET AUTOCOMMIT = 1': { does: 'nothing' },
  'SET TRANSACTION ISOLATION LEVEL READ UNCOMMITTED': level('read uncommitted'),
  'SET TRANSACTION ISOLATION LEVEL READ COMMITTED': level('read committed'),
  'SET TRANSACTION ISOLATION LEVEL REPEATABLE READ': level('repeatable read'),
  'SET TRANSACTION ISOLATION LEVEL SERIALIZABLE': level('serializable'),
}

function level(level: Isolation): Command {
  return { does: 'isolation', level }
}

/** Before the name. */
const savepoints: Readonly<Record<string, 'savepoint' | 'rollbackTo' | 'release'>> = {
  SAVEPOINT: 'savepoint',
  'RELEASE SAVEPOINT': 'release',
  'ROLLBACK TO': 'rollbackTo',
  'ROLLBACK TO SAVEPOINT': 'rollbackTo',
  'ROLLBACK WORK TO': 'rollbackTo',
  'ROLLBACK WORK TO SAVEPOINT': 'rollbackTo',
}

export const sharedConnection = 'the connection is shared: this would change it for others'

/** Tokens: no command is as long as that. */
const most = 12

/**
 * What a text asks of the session; `undefined` for a statement like others.
 * @throws Refusal for what would change the connection for those who use it next
 */
export function commandOf(text: string): Command | undefined {
  const tokens: Token[] = []
  for (const token of tokensOf(text, 'mysql')) {
    if (token.type !== 'comment') tokens.push(token)
    if (tokens.length === most) break
  }
  if (tokens.at(-1)?.text === ';') tokens.pop()
  const [first, second] = tokens
  const temporary = first?.text === 'CREATE' && second?.text === 'TEMPORARY'
  if (!temporary && !(first?.type === 'word' && ofSession.has(first.text))) return undefined
  const words = tokens.map(({ text }) => text).join(' ')
  const command = Object.hasOwn(commands, words) ? commands[words] : ofSavepoint(tokens)
  if (command !== undefined) return command
  throw new Refusal('unsupported', sharedConnection)
}

function ofSavepoint(tokens: readonly Token[]): Command | undefined {
  const words = tokens.slice(0, -1).map(({ text }) => text)
  const does = savepoints[words.join(' ')]
  const last = tokens.at(-1)
  const name = /^(?:[\w$]{1,64}|`[\w$]{1,64}`)$/.exec(last?.text ?? '')?.[0].replaceAll('`', '')
  if (does === undefined || name === undefined) return undefined
  return last?.type === 'word' || last?.type === 'name' ? { does, name } : undefined
}

const writing = new Set(['INSERT', 'REPLACE', 'UPDATE', 'DELETE'])

/** By its first word. False says nothing. */
export function plainlyWrites(text: string): boolean {
  for (const { type, text: token } of tokensOf(text, 'mysql')) {
    if (type !== 'comment') return writing.has(token)
  }
  return false
}

const namedLocks = new Set(['GET_LOCK', 'RELEASE_LOCK', 'RELEASE_ALL_LOCKS'])

/** What a statement locks: a name, which would stay locked for as long as the connection lives, or the `rows` that it reads. */
export function locksOf(text: string): 'named' | 'rows' | undefined {
  // Few do, and some are long.
  if (!/lock|share/i.test(text)) return undefined
  let locks: 'rows' | undefined
  let before = ''
  for (const { type, text: token } of tokensOf(text, 'mysql')) {
    if (type === 'comment') continue
    // The name of a function may be in quotes.
    if (token === '(' && namedLocks.has(before.replaceAll('`', '').toUpperCase())) return 'named'
    if (token === 'SHARE' && (before === 'FOR' || before === 'IN')) locks = 'rows'
    before = token
  }
  return locks
}
