import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { build } from 'esbuild'
import { catalogue } from './tables.ts'
import type { Answer, Request } from './worker.ts'

/** The data of a server, and the threads that read and write it. */
export class Store {
  readonly #directory: string
  readonly #readOnly: boolean
  readonly #free: Connection[] = []
  readonly #all = new Set<Connection>()

  constructor(directory: string, readOnly: boolean) {
    this.#directory = directory
    this.#readOnly = readOnly
  }

  static async create(readOnly: boolean): Promise<Store> {
    const directory = await mkdtemp(join(tmpdir(), 'dualport-tds-'))
    const database = new DatabaseSync(join(directory, 'data.sqlite'))
    database.exec('pragma journal_mode = wal')
    for (const sql of catalogue) database.exec(sql)
    database.close()
    // A thread that had to strip the types of its modules would take several times as long to start.
    await build({
      entryPoints: [fileURLToPath(new URL('./worker.ts', import.meta.url))],
      outfile: join(directory, 'worker.mjs'),
      ...({ bundle: true, platform: 'node', format: 'esm' } as const),
    })
    return new Store(directory, readOnly)
  }

  connect(): Connection {
    let connection = this.#free.pop()
    if (connection === undefined) {
      connection = new Connection(this.#directory, this.#readOnly)
      this.#all.add(connection)
    }
    return connection
  }

  /** What was not committed is undone, and its thread serves the next that connects. */
  async release(connection: Connection): Promise<void> {
    connection.interrupt()
    await connection.ask({ do: 'reset' })
    this.#free.push(connection)
  }

  async close(): Promise<void> {
    await Promise.all([...this.#all].map((connection) => connection.close()))
    await rm(this.#directory, { recursive: true, force: true })
  }
}

/** One connection of SQLite's, in a thread of its own. */
export class Connection {
  readonly #worker: Worker
  readonly #interrupt = new Int32Array(new SharedArrayBuffer(4))
  #last: Promise<unknown> = Promise.resolve()

  constructor(directory: string, readOnly: boolean) {
    const file = join(directory, 'data.sqlite')
    this.#worker = new Worker(join(directory, 'worker.mjs'), {
      execArgv: ['--disable-warning=ExperimentalWarning'],
      workerData: { file, readOnly, interrupt: this.#interrupt },
    })
    this.#worker.unref()
  }

  /** One at a time, in order. An interruption before does not count. */
  ask(request: Request): Promise<Answer> {
    const answer = this.#last.then(() => this.#ask(request))
    this.#last = answer.catch(() => {})
    return answer
  }

  /** Stops what runs at this moment. */
  interrupt(): void {
    Atomics.store(this.#interrupt, 0, 1)
  }

  async close(): Promise<void> {
    this.interrupt()
    await this.#worker.terminate()
  }

  #ask(request: Request): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const settle = () => {
        this.#worker.off('message', onMessage).off('error', onEnd).off('exit', onEnd)
        this.#worker.unref()
      }
      const onMessage = (answer: Answer) => {
        settle()
        resolve(answer)
      }
      const onEnd = (reason: unknown) => {
        settle()
        reject(reason instanceof Error ? reason : new Error('the thread of SQLite ended'))
      }
      this.#worker.ref()
      this.#worker.on('message', onMessage).on('error', onEnd).on('exit', onEnd)
      Atomics.store(this.#interrupt, 0, 0)
      this.#worker.postMessage(request)
    })
  }
}
