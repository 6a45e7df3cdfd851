import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'

const bootstrap = fileURLToPath(new URL('./lambda-bootstrap.mjs', import.meta.url))

interface Invocation {
  readonly id: string
  readonly event: unknown
  readonly timeoutMs: number
  resolve(result: unknown): void
  reject(error: Error): void
}

/**
 * One execution environment of Lambda: a process that runs what a zip holds, and a stand-in of the
 * Runtime API that it speaks to.
 */
export class LambdaEnvironment {
  /** What the function has logged. */
  log = ''
  readonly #api: Server
  readonly #child: ChildProcess
  readonly #exited: Promise<unknown>
  readonly #invocations: Invocation[] = []
  #running: Invocation | undefined
  #waiting: ServerResponse | undefined
  #idle = idle()

  /** Starts the process, and runs the Init phase. `directory` holds `index.mjs`. */
  static async start(
    directory: string,
    env: Readonly<Record<string, string>>,
  ): Promise<LambdaEnvironment> {
    const api = createServer().listen(0, '127.0.0.1')
    await once(api, 'listening')
    return new LambdaEnvironment(api, directory, env)
  }

  private constructor(api: Server, directory: string, env: Readonly<Record<string, string>>) {
    this.#api = api
    api.on('request', (request, response) => void this.#serve(request, response))
    this.#child = spawn(process.execPath, [bootstrap], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        AWS_LAMBDA_RUNTIME_API: `127.0.0.1:${(api.address() as AddressInfo).port}`,
        LAMBDA_TASK_ROOT: directory,
        _HANDLER: 'index.handler',
        ...env,
      },
    })
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding('utf8').on('data', (chunk: string) => {
        this.log += chunk
      })
    }
    this.#exited = once(this.#child, 'close').then(() =>
      this.#fail(new Error(`the function ended: ${this.log}`)),
    )
  }

  /** Gives the handler's result. Rejects if it threw. */
  invoke(event: unknown, timeoutMs = 3000): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#invocations.push({ id: randomUUID(), event, timeoutMs, resolve, reject })
      this.#next()
    })
  }

  /** Resolves when it waits for an invocation: the Init phase is over, and so is what was invoked. */
  idle(): Promise<void> {
    return this.#idle.promise
  }

  /** As Lambda does between invocations. */
  freeze(): void {
    this.#child.kill('SIGSTOP')
  }

  thaw(): void {
    this.#child.kill('SIGCONT')
  }

  /** Ends it as Lambda does: SIGTERM. Gives the exit code, or the signal that it took. */
  async shutDown(): Promise<number | NodeJS.Signals | null> {
    this.#child.kill('SIGTERM')
    await this.#exited
    return this.#child.exitCode ?? this.#child.signalCode
  }

  async stop(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#exited
    this.#api.close()
    this.#api.closeAllConnections()
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const [, action] =
      /^\/2018-06-01\/runtime\/(?:invocation\/)?(.+)$/.exec(request.url ?? '') ?? []
    if (action === 'next') {
      this.#waiting = response
      this.#idle.resolve()
      this.#next()
      return
    }
    const report = await json(request)
    const running = this.#running
    this.#running = undefined
    if (action === `${running?.id}/response`) running?.resolve(report)
    else if (action === `${running?.id}/error`) running?.reject(failure(report))
    else this.#fail(failure(report))
    response.writeHead(202).end()
  }

  #fail(error: Error): void {
    this.#idle.reject(error)
    this.#running?.reject(error)
    for (const { reject } of this.#invocations.splice(0)) reject(error)
  }

  #next(): void {
    if (this.#waiting === undefined) return
    const invocation = this.#invocations.shift()
    if (invocation === undefined) return
    this.#running = invocation
    this.#idle = idle()
    this.#waiting
      .writeHead(200, {
        'lambda-runtime-aws-request-id': invocation.id,
        'lambda-runtime-deadline-ms': `${Date.now() + invocation.timeoutMs}`,
      })
      .end(JSON.stringify(invocation.event))
    this.#waiting = undefined
  }
}

/** What the process says of a function that threw, or could not be loaded. */
function failure(report: unknown): Error {
  const { errorType, errorMessage } = report as { errorType: string; errorMessage: string }
  return Object.assign(new Error(errorMessage), { name: errorType })
}

function idle(): PromiseWithResolvers<void> {
  const idle = Promise.withResolvers<void>()
  // Whoever does not ask hears of a failure by the invocation.
  idle.promise.catch(() => {})
  return idle
}
