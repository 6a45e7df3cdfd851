import type { AsyncLocalStorage } from 'node:async_hooks'
import { InfraError } from './errors.ts'

/** What a unit of work (a request, an invocation) hands to every operation inside it. */
export interface Context {
  /** Travels into logs, spans and the `x-correlation-id` header. Printable ASCII, at most 128 characters. */
  readonly correlationId?: string | undefined
  /** W3C trace context, sent on by HTTP adapters. */
  readonly traceparent?: string | undefined
  /** Aborts every operation inside. */
  readonly signal?: AbortSignal | undefined
  /** No operation inside outlives this moment. A number is milliseconds since the epoch, as `Date.now()`. */
  readonly deadline?: Date | number | undefined
  /** Keeps the runtime alive for work that goes on after the reply, where it has such a thing. */
  readonly waitUntil?: ((work: Promise<unknown>) => void) | undefined
}

/** @internal `Context` with its deadline on the clock of `performance.now()`. */
export interface ActiveContext extends Omit<Context, 'deadline'> {
  readonly due: number | undefined
}

type Storage = AsyncLocalStorage<ActiveContext>
let storage: Storage | undefined

/**
 * Runs `work` with a context that every dualport operation inside it sees. Contexts nest: the inner
 * one overrides, except that the earlier deadline wins.
 * @throws InfraError `CONTEXT_UNSUPPORTED` where the runtime has no AsyncLocalStorage
 *   (on Workers: add the `nodejs_compat` flag); `CONTEXT_INVALID` for a malformed value.
 */
export function withContext<T>(context: Context, work: () => T): T {
  storage ??= createStorage()
  const outer = storage.getStore()
  const { deadline, ...rest } = context
  if (!isCorrelationId(context.correlationId)) throw invalid(badCorrelationId)
  let due = outer?.due
  if (deadline !== undefined) {
    const left = Number(deadline) - Date.now()
    if (Number.isNaN(left)) throw invalid('deadline is not a date')
    due = Math.min(due ?? Infinity, performance.now() + left)
  }
  return storage.run({ ...outer, ...rest, due }, work)
}

/** The context of the work that is running, if `withContext` set one. */
export function currentContext(): ActiveContext | undefined {
  return storage?.getStore()
}

/** @internal Work that several callers share must not end with the one that happened to start it. */
export function withoutContext<T>(work: () => T): T {
  return storage === undefined ? work() : storage.exit(work)
}

/** @internal Header injection and log forging end here. */
export function isCorrelationId(id: unknown): boolean {
  return id === undefined || (typeof id === 'string' && /^[\x21-\x7e]{1,128}$/.test(id))
}

/** @internal */
export const badCorrelationId =
  'correlationId is not 1 to 128 printable ASCII characters without spaces'

function invalid(detail: string): InfraError {
  return new InfraError({
    kind: 'invalid',
    component: 'context',
    adapter: '-',
    operation: 'withContext',
    detail,
  })
}

function createStorage(): Storage {
  // Not imported: a Worker without Node compatibility must still be able to load this module.
  const runtime = globalThis as {
    process?: { getBuiltinModule?: (id: string) => { AsyncLocalStorage: new () => Storage } }
    AsyncLocalStorage?: new () => Storage
  }
  const Constructor =
    runtime.process?.getBuiltinModule?.('node:async_hooks').AsyncLocalStorage ??
    runtime.AsyncLocalStorage
  if (Constructor === undefined) {
    throw new InfraError({
      kind: 'unsupported',
      component: 'context',
      adapter: '-',
      operation: 'withContext',
      detail: 'this runtime has no AsyncLocalStorage; on Workers set the nodejs_compat flag',
    })
  }
  return new Constructor()
}
