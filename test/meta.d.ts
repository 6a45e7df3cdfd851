import 'vitest'

declare module 'vitest' {
  /** What a test tells `npm test`, which prints it at the end. */
  interface TaskMeta {
    /** Why it is skipped: counted by reason. */
    skipReason?: string
    /** A figure that is worth seeing when the test passes, too. */
    report?: string
  }
}
