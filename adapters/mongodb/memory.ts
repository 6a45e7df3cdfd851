import { type Attempt, DriverFailure, type Failure } from '../../src/core/index.ts'
import {
  type CursorOperation,
  classifyServerError,
  type Document,
  type MongoCapabilities,
  type MongoDriver,
  type OperationName,
  type OperationOf,
  type Page,
  type ReplyOf,
  ServerError,
  type ServerTransaction,
} from '../../src/mongodb/index.ts'
import { Engine } from './memory/engine.ts'

export interface MemoryOptions {
  /** Default `test`. */
  database?: string | undefined
  /** Epoch milliseconds, for `$currentDate` and for what expires. Default `Date.now`. */
  clock?: (() => number) | undefined
}

/**
 * MongoDB inside the process, for tests and development: the results, types and errors of a server, with
 * unique indexes, expiry and transactions, on any runtime. Each call makes an empty one; clients of one driver
 * share it. Loads `bson` and `mingo`, by which it evaluates expressions, on first use
 * (`npm install bson mingo`). No text or geographic search, no
 * `$where`, no `$jsonSchema`, no `$setWindowFields`; what is not here is `unsupported`.
 */
export function memory(options: MemoryOptions = {}): MongoDriver {
  return new MemoryDriver(options.database ?? 'test', options.clock ?? Date.now)
}

const capabilities: MongoCapabilities = {
  transactions: true,
  cursors: true,
  indexes: true,
  extended: true,
  exactTypes: true,
  writeErrors: true,
  // Nothing lasts long enough.
  cancel: false,
  maxDocumentBytes: 16 * 1024 * 1024,
}

const maxPageBytes = 16 * 1024 * 1024

class MemoryDriver implements MongoDriver {
  readonly adapter = 'memory'
  readonly resource = undefined
  readonly capabilities = capabilities
  readonly database: string
  readonly #clock: () => number
  #opening: Promise<Engine> | undefined
  #closed = false

  constructor(database: string, clock: () => number) {
    this.database = database
    this.#clock = clock
  }

  async execute<N extends OperationName>(
    operation: OperationOf<N>,
    attempt: Attempt,
  ): Promise<ReplyOf<N>> {
    const engine = await this.#engine(attempt)
    return engine.execute(operation)
  }

  async open(operation: CursorOperation, attempt: Attempt): Promise<Page> {
    return this.#open(await this.#engine(attempt), operation)
  }

  async begin(attempt: Attempt): Promise<ServerTransaction> {
    const engine = await this.#engine(attempt)
    const [base, fork] = [engine.fork(), engine.fork()]
    let committed = false
    return {
      execute: async (operation, attempt) => {
        this.#check(attempt)
        return fork.execute(operation)
      },
      open: async (operation, attempt) => {
        this.#check(attempt)
        return this.#open(fork, operation)
      },
      commit: async (attempt) => {
        this.#check(attempt)
        if (!committed) engine.merge(fork, base)
        committed = true
      },
      async abort() {},
    }
  }

  async ping(attempt: Attempt): Promise<void> {
    this.#check(attempt)
  }

  async isWritable(attempt: Attempt): Promise<boolean> {
    this.#check(attempt)
    return true
  }

  async close(): Promise<void> {
    this.#closed = true
  }

  classify(error: unknown, { operation }: { operation: string }): Failure {
    if (error instanceof ServerError) return classifyServerError(error, operation)
    const { name, code } = error as { name?: unknown; code?: unknown }
    if (code === 'ERR_OUT_OF_RANGE') return invalid('the document is too large')
    if (name === 'BSONVersionError') return invalid('a value is of another major version of bson')
    if (name === 'BSONError') return invalid('a value is none that BSON has')
    return { kind: 'internal' }
  }

  async native(): Promise<Engine> {
    return this.#load()
  }

  #check(attempt: Attempt): void {
    if (this.#closed) throw new DriverFailure({ kind: 'closed' })
    if (attempt.over) throw new DriverFailure({ kind: 'aborted' })
    attempt.sent = true
  }

  async #engine(attempt: Attempt): Promise<Engine> {
    const engine = await this.#load()
    this.#check(attempt)
    return engine
  }

  /** The documents stay as they are now, whatever is written while the cursor is open. */
  #open(engine: Engine, operation: CursorOperation): Page {
    const { codec } = engine
    let rest: readonly Document[] | undefined = engine.query(operation)
    let read = 0
    const page = (): Page => {
      if (rest === undefined) throw new ServerError(43, 'cursor id not found')
      const documents: Document[] = []
      let size = 0
      while (documents.length < operation.batchSize && read < rest.length) {
        const bytes = codec.encode(rest[read] as Document)
        size += bytes.length
        if (size > maxPageBytes && documents.length > 0) break
        documents.push(codec.decode(bytes))
        read++
      }
      if (read === rest.length) return { documents, rest: undefined }
      const cursor = {
        next: async (attempt: Attempt) => {
          this.#check(attempt)
          return page()
        },
        close: async () => {
          rest = undefined
        },
      }
      return { documents, rest: cursor }
    }
    return page()
  }

  /** Memoised, but not its failure: what is installed meanwhile is found. */
  #load(): Promise<Engine> {
    if (this.#opening === undefined) {
      const opening = make(this.#clock)
      this.#opening = opening
      opening.catch(() => {
        this.#opening = undefined
      })
    }
    return this.#opening
  }
}

function invalid(detail: string): Failure {
  return { kind: 'invalid', outcome: 'not-applied', detail }
}

async function make(clock: () => number): Promise<Engine> {
  try {
    // Each on its own: bundlers take one that is missing for an error unless it is awaited right here.
    const bson = await import('bson')
    const core = await import('mingo/core')
    const { Aggregator } = await import('mingo/aggregator')
    const expressions = await import('mingo/operators/expression')
    const accumulators = await import('mingo/operators/accumulator')
    const stages = await import('mingo/operators/pipeline')
    return new Engine(bson, { core, Aggregator, expressions, accumulators, stages }, clock)
  } catch (cause) {
    const detail = 'bson or mingo is not installed; run: npm install bson mingo'
    throw new DriverFailure({ kind: 'config', outcome: 'not-applied', detail }, { cause })
  }
}
