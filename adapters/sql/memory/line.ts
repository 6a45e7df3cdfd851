import { type Attempt, DriverFailure } from '../../../src/core/index.ts'

/** Lets one in at a time, in the order of their coming. Who is in calls `leave`. */
export class Line {
  readonly #waiting = new Set<{ enter(): void; refuse(error: DriverFailure): void }>()
  #taken = false

  /** @throws DriverFailure if the caller no longer waits, or nobody is let in any more */
  enter(attempt: Attempt): Promise<void> {
    if (!this.#taken) {
      this.#taken = true
      return Promise.resolve()
    }
    return new Promise((enter, refuse) => {
      const place = { enter, refuse }
      this.#waiting.add(place)
      attempt.onCancel = () => {
        if (this.#waiting.delete(place)) refuse(new DriverFailure({ kind: 'aborted' }))
      }
    })
  }

  leave(): void {
    const [next] = this.#waiting
    if (next === undefined) {
      this.#taken = false
    } else {
      this.#waiting.delete(next)
      next.enter()
    }
  }

  /** Sends away those who wait. */
  close(): void {
    for (const { refuse } of this.#waiting) refuse(new DriverFailure({ kind: 'closed' }))
    this.#waiting.clear()
  }
}
