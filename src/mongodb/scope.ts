import type { CallPipeline } from '../core/index.ts'
import type { Checker } from './documents.ts'
import type { Executor, MongoCapabilities } from './driver.ts'

/** What the collections of a client, or of one transaction, have in common. */
export interface Scope {
  readonly calls: CallPipeline
  readonly executor: Executor
  readonly capabilities: MongoCapabilities
  readonly checker: Checker
}
