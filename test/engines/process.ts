import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** The engine is not on this machine. Its tests are skipped for this reason, unless REQUIRE_ENGINES=1. */
export class EngineMissing extends Error {}

export interface EngineProcess {
  readonly pid: number
  /** Aborted when the process has ended, for whatever reason. */
  readonly ended: AbortSignal
  /** Kills it (paused or not), removes its directory, and resolves when both are done. */
  stop(): Promise<void>
}

/**
 * Starts a server in a directory of its own. A second process waits on a pipe from us and does the
 * cleaning up, so that nothing is left behind however this process ends, SIGKILL included.
 */
export async function startProcess(
  command: string,
  args: (directory: string) => readonly string[],
): Promise<EngineProcess> {
  const directory = await mkdtemp(join(tmpdir(), 'dualport-'))
  const child = spawn(command, args(directory), { cwd: directory, stdio: 'ignore' })
  const ended = new AbortController()
  child.once('exit', () => ended.abort())
  const janitor = spawn(
    'sh',
    [
      '-c',
      'read _; [ -n "$1" ] && kill -9 "$1"; rm -rf "$2"',
      'sh',
      `${child.pid ?? ''}`,
      directory,
    ],
    { stdio: ['pipe', 'ignore', 'ignore'] },
  )
  const cleaned = once(janitor, 'exit')
  const stop = async () => {
    janitor.stdin.end()
    await cleaned
    if (child.pid !== undefined && !ended.signal.aborted) await once(ended.signal, 'abort')
  }
  try {
    await once(child, 'spawn')
  } catch (error) {
    await stop()
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    throw new EngineMissing(`${command} is not installed`)
  }
  return { pid: child.pid!, ended: ended.signal, stop }
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
