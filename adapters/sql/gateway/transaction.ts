import { DriverFailure } from '../../../src/core/index.ts'
import type { ServerTransaction } from '../../../src/sql/index.ts'
import { executorOver, type Post } from './executor.ts'
import { Refused } from './failures.ts'

/** The transaction that the gateway holds under that ID. */
export function transactionOver(post: Post, transaction: string): ServerTransaction {
  let lost = false
  const within: Post = async (path, body, attempt) => {
    if (lost) throw new DriverFailure({ kind: 'closed', detail: 'the transaction is over' })
    try {
      return await post(path, { ...body, transaction }, attempt)
    } catch (error) {
      // No answer: the gateway undoes all of it, as soon as it hears that nobody waits.
      lost ||= !(error instanceof Refused)
      throw error
    }
  }
  return {
    ...executorOver(within),
    async savepoint(name, attempt) {
      await within('/savepoint', { action: 'savepoint', name }, attempt)
    },
    async rollbackTo(name, attempt) {
      await within('/savepoint', { action: 'rollbackTo', name }, attempt)
    },
    async release(name, attempt) {
      await within('/savepoint', { action: 'release', name }, attempt)
    },
    async commit(attempt) {
      await within('/commit', {}, attempt)
    },
    async rollback(attempt) {
      try {
        await post('/rollback', { transaction }, attempt)
      } catch (error) {
        // It has been already.
        if (!(error instanceof Refused && error.failure.kind === 'closed')) throw error
      }
    },
  }
}
