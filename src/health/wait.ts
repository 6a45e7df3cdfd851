import { deadlines, type Timed } from '../core/timers.ts'
import { failed } from './errors.ts'

/**
 * What the work gives, which never rejects; `undefined` if the time is over first.
 * @throws InfraError `HEALTH_ABORTED` as soon as one of the signals fires.
 */
export function settledBy<T>(
  work: Promise<T>,
  due: number,
  signals: readonly AbortSignal[] = [],
): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const wait: Timed = { due, slot: undefined, expire: () => end() }
    const abort = () => {
      reject(failed('aborted'))
      end()
    }
    const end = (value?: T) => {
      deadlines.remove(wait)
      for (const signal of signals) signal.removeEventListener('abort', abort)
      resolve(value)
    }
    deadlines.add(wait)
    for (const signal of signals) signal.addEventListener('abort', abort)
    work.then(end)
  })
}
