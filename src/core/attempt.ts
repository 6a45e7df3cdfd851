import type { Attempt } from './driver.ts'

/** For work that no caller waits for: freeing what another one has left at the server, say. */
export function detachedAttempt(operation: string, timeoutMs: number): Attempt {
  return {
    operation,
    due: performance.now() + timeoutMs,
    context: undefined,
    correlationId: undefined,
    over: false,
    sent: false,
    onCancel: undefined,
  }
}

/**
 * For one step of several: it ends with the whole, but whether it has been sent says nothing of the whole. Of
 * these, only the last that was made hears of the end.
 */
export function stepOf(whole: Attempt): Attempt {
  return {
    operation: whole.operation,
    due: whole.due,
    context: whole.context,
    correlationId: whole.correlationId,
    get over() {
      return whole.over
    },
    sent: false,
    get onCancel() {
      return whole.onCancel
    },
    set onCancel(cancel) {
      whole.onCancel = cancel
    },
  }
}
