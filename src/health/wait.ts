import { deadlines, type Timed } from '../core/timers.ts'
import { failed } from './errors.ts'

/**
 * Resolves when the work, which never rejects, is done or the time is over, whichever comes first.
 * @throws InfraError `HEALTH_ABORTED` as soon as one of the signals fires.
 */
export function settledBy(
  work: Promise<unknown>,
  due: number,
  signals: readonly AbortSignal[] = [],
): Promise<void> {
  return new Promise((resolve, reject) => {
    const wait: Timed = { due, slot: undefined, expire: () => end(resolve) }
    const abort = () => end(() => reject(failed('aborted', 'check')))
    const end = (settle: () => void) => {
      deadlines.remove(wait)
      for (const signal of signals) signal.removeEventListener('abort', abort)
      settle()
    }
    deadlines.add(wait)
    for (const signal of signals) signal.addEventListener('abort', abort)
    work.then(wait.expire)
  })
}
