import { isCorrelationId } from '../core/context.ts'
import type { Context } from '../core/index.ts'
import { correlationHeader } from '../core/wire.ts'

const traceparentForm = /^[\da-f]{2}-[\da-f]{32}-[\da-f]{16}-[\da-f]{2}$/

/**
 * What the headers of a request say about the work that it starts. They come from outside: what is
 * malformed is as good as missing.
 */
export function contextOf(headers = new Headers()): Pick<Context, 'correlationId' | 'traceparent'> {
  const correlationId = headers.get(correlationHeader) ?? undefined
  const traceparent = headers.get('traceparent') ?? ''
  return {
    correlationId: isCorrelationId(correlationId) ? correlationId : undefined,
    traceparent: traceparentForm.test(traceparent) ? traceparent : undefined,
  }
}
