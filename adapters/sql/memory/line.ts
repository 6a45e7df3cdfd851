import { DriverFailure } from '../../../src/core/index.ts'

/** Lets one in at a time, in the order of their coming. Who is in calls `leave`. */
export class Line {
  readonly #waiting: { enter(): void; refuse(error: DriverFailure): void }[] = []
  #taken = false

  /** Also lets in who no longer waits, since their turn is over at once. @throws DriverFailure after `close` */
  enter(): Promise<void> {
    if (!this.#taken) {
      this.#taken = true
      return Promise.resolve()
    }
    return new Promise((enter, refuse) => {
      this.#waiting.push({ enter, refuse })
    })
  }

  leave(): void {
    const next = this.#waiting.shift()
    if (next === undefined) this.#taken = false
    else next.enter()
  }

  /** Sends away those who wait. */
  close(): void {
    for (const { refuse } of this.#waiting.splice(0)) refuse(new DriverFailure({ kind: 'closed' }))
  }
}
