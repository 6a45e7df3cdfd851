import type { Isolation } from '../sql/index.ts'
import { Refusal } from './face.ts'

/** What a client sends back with its next statement: the one thing that a session of this protocol is. */
export interface Session {
  /** The ID of the transaction that it is in. */
  readonly transaction?: string | undefined
  /** Of the next transaction. */
  readonly isolation?: Isolation | undefined
}

const levels: Readonly<Record<string, Isolation>> = {
  'READ-UNCOMMITTED': 'read uncommitted',
  'READ-COMMITTED': 'read committed',
  'REPEATABLE-READ': 'repeatable read',
  SERIALIZABLE: 'serializable',
}

/** As PlanetScale's client types it: `{signature, vitessSession}`. The ID of the transaction is the signature. */
export function writeSession({ transaction, isolation }: Session): object {
  const level = Object.keys(levels).find((name) => levels[name] === isolation)
  return {
    signature: transaction ?? '',
    vitessSession: {
      autocommit: true,
      options: { includedFields: 'ALL', clientFoundRows: true },
      ...(transaction !== undefined && { inTransaction: true }),
      ...(level !== undefined && { systemVariables: { transaction_isolation: level } }),
    },
  }
}

/**
 * What `writeSession` wrote, or nothing at all.
 * @throws Refusal for anything else: a statement of a transaction must never run outside of it
 */
export function readSession(session: unknown): Session {
  if (session === undefined || session === null) return {}
  const { signature, vitessSession } = session as { signature?: unknown; vitessSession?: unknown }
  const { inTransaction, systemVariables } = (vitessSession ?? {}) as {
    inTransaction?: unknown
    systemVariables?: { transaction_isolation?: unknown } | null
  }
  const level = systemVariables?.transaction_isolation
  const isolation =
    typeof level === 'string' && Object.hasOwn(levels, level) ? levels[level] : undefined
  if (
    signature === '' &&
    inTransaction === undefined &&
    (level === undefined) === (isolation === undefined)
  ) {
    return { isolation }
  }
  if (typeof signature === 'string' && signature !== '' && inTransaction === true) {
    return { transaction: signature }
  }
  throw new Refusal('invalid', 'the session is none of this gateway')
}
