import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** The engine is not on this machine. Its tests are skipped for this reason, unless REQUIRE_ENGINES=1. */
export class EngineMissing extends Error {}

/** A server that runs in a directory of its own. */
export interface EngineProcess {
  /** Another one after each `start`. */
  readonly pid: number
  /** Aborted when the process has ended, for whatever reason. Another one after each `start`. */
  readonly ended: AbortSignal
  /** SIGSTOP: the kernel still accepts connections and bytes, nobody answers. */
  pause(): void
  /** SIGCONT: what arrived in the meantime is answered now. */
  resume(): void
  /** SIGKILL (paused or not). Resolves when it has ended; its directory stays. */
  kill(): Promise<void>
  /** After `kill`: the same command again, in the same directory. Resolves when it runs, before it is ready. */
  start(): Promise<void>
  /** Kills it, removes its directory, and resolves when both are done. */
  stop(): Promise<void>
}

/**
 * Starts a server in a directory of its own, which `prepare` may fill. A second process waits on a pipe from
 * us and does the cleaning up, so that nothing is left behind however this process ends, SIGKILL included.
 */
export async function startProcess(
  command: string,
  args: (directory: string) => readonly string[],
  prepare: (directory: string) => Promise<void> = async () => {},
): Promise<EngineProcess> {
  const directory = await mkdtemp(join(tmpdir(), 'dualport-'))
  const janitor = startJanitor(directory)
  let child: ChildProcess | undefined
  let ended = AbortSignal.abort()

  const start = async () => {
    const started = spawn(command, args(directory), { cwd: directory, stdio: 'ignore' })
    const exit = new AbortController()
    started.once('exit', () => {
      janitor.watch('')
      exit.abort()
    })
    if (started.pid !== undefined) janitor.watch(started.pid)
    await once(started, 'spawn')
    child = started
    ended = exit.signal
  }
  const kill = async () => {
    child?.kill('SIGKILL')
    if (!ended.aborted) await once(ended, 'abort')
  }
  const stop = async () => {
    await kill()
    await janitor.clean()
  }
  try {
    await prepare(directory)
    await start()
  } catch (error) {
    await stop()
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    throw new EngineMissing(`${command} is not installed`)
  }
  return {
    get pid() {
      return child!.pid!
    },
    get ended() {
      return ended
    },
    pause() {
      child!.kill('SIGSTOP')
      waitUntilStopped(child!.pid!)
    },
    resume: () => void child!.kill('SIGCONT'),
    kill,
    start,
    stop,
  }
}

/** Reads process ids; when we are done or gone, kills the last one (an empty line: none) and removes the directory. */
function startJanitor(directory: string) {
  const script = `
    # Ctrl-C goes to the whole group.
    trap '' HUP INT TERM
    while read -r line; do pid=$line; done
    [ -n "$pid" ] && kill -9 "$pid"
    # What is being killed may write a last file.
    rm -rf "$1" || { sleep 1; rm -rf "$1"; }`
  const janitor = spawn('sh', ['-c', script, 'sh', directory], {
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  const cleaned = once(janitor, 'exit')
  return {
    watch: (pid: number | '') => void janitor.stdin.write(`${pid}\n`),
    clean: async () => {
      janitor.stdin.end()
      await cleaned
    },
  }
}

/** A port of the loopback interface that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}

/** Polls until `ready` resolves to true. Rejects after `timeoutMs`, or as soon as the process has ended. */
export async function until(
  ready: () => Promise<boolean>,
  { ended }: { readonly ended: AbortSignal },
  timeoutMs = 15_000,
): Promise<void> {
  const due = performance.now() + timeoutMs
  while (!(await ready().catch(() => false))) {
    if (ended.aborted) throw new Error('the engine ended before it was ready')
    if (performance.now() > due) throw new Error(`the engine was not ready in ${timeoutMs} ms`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

/** The signal takes effect a little later, thread by thread: until then there may still be an answer. */
function waitUntilStopped(pid: number): void {
  const tasks = `/proc/${pid}/task`
  const isStopped = (task: string) => {
    try {
      return / [TtZX] /.test(readFileSync(`${tasks}/${task}/stat`, 'utf8').split(')').at(-1) ?? '')
    } catch {
      // It has ended.
      return true
    }
  }
  const due = performance.now() + 1000
  while (existsSync(tasks) && performance.now() < due && !readdirSync(tasks).every(isStopped));
}
