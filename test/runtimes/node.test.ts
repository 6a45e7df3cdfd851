import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { createInfrastructure } from '../../src/config/auto.node.ts'
import { type NodeServer, type ServeNodeOptions, serveNode } from '../../src/runtimes/node.ts'

describe('a program', () => {
  async function start(env: Record<string, string>) {
    const program = fileURLToPath(new URL('./node-program.ts', import.meta.url))
    const child = spawn(process.execPath, [program], {
      env: { DRAIN_DELAY_MS: '0', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    onTestFinished(() => void child.kill('SIGKILL'))
    const [url] = (await once(createInterface(child.stdout), 'line')) as [string]
    return { child, url, exited: once(child, 'exit'), said: text(child.stderr) }
  }

  const status = async (url: string) => (await fetch(url)).status

  test('at SIGTERM is not ready any more, serves on, and ends with 0', async () => {
    const { child, url, exited, said } = await start({ DRAIN_DELAY_MS: '3000' })
    expect(await status(`${url}/health/ready`)).toBe(200)
    child.kill('SIGTERM')
    await vi.waitFor(async () => expect(await status(`${url}/health/ready`)).toBe(503))
    expect(await status(`${url}/health/live`)).toBe(200)
    expect(await status(url)).toBe(200)
    expect(await exited).toEqual([0, null])
    expect(await said).toBe('')
  })

  test('that cannot close cleanly ends with 1, and says no more than it may', async () => {
    const { child, exited, said } = await start({ CLOSE: 'fails' })
    child.kill('SIGTERM')
    expect(await exited).toEqual([1, null])
    expect(await said).toBe('could not stop cleanly\n')
  })
})

describe('serveNode', () => {
  const servers: NodeServer[] = []
  afterEach(async () => {
    for (const server of servers.splice(0)) await server.stop()
  })

  async function serve(options: ServeNodeOptions): Promise<NodeServer> {
    const server = await serveNode({ port: 0, ...options })
    servers.push(server)
    return server
  }

  /** A handler that says when it was called, and answers when it is told. */
  function held() {
    const called = Promise.withResolvers<Request>()
    const answer = Promise.withResolvers<Response>()
    const fetch = (request: Request) => {
      called.resolve(request)
      return answer.promise
    }
    return { fetch, called: called.promise, answer: answer.resolve }
  }

  test('answers what is in flight before it closes the clients', async () => {
    const infra = createInfrastructure({ REDIS_URL: 'memory:' }, { logger: false })
    const { fetch: handler, called, answer } = held()
    const draining = Promise.withResolvers<void>()
    const server = await serve({ fetch: handler, infra, onDrain: draining.resolve })
    const response = fetch(server.url)
    await called
    const stopped = server.stop()
    expect(server.stop()).toBe(stopped)
    expect(await infra.health.isHealthy({ group: 'ready' })).toBe(false)
    await draining.promise
    await expect(fetch(server.url)).rejects.toThrow()
    // The clients still work for what is in flight.
    await infra.redis.set('k', 'late')
    answer(new Response(await infra.redis.get('k')))
    expect(await (await response).text()).toBe('late')
    await stopped
    await expect(infra.redis.get('k')).rejects.toMatchObject({ code: 'REDIS_CLOSED' })
  })

  test('cuts off what does not end in time, and its signal fires', async () => {
    const { fetch: handler, called } = held()
    const server = await serve({ fetch: handler, drainTimeoutMs: 50 })
    const cut = expect(fetch(server.url)).rejects.toThrow()
    const { signal } = await called
    await server.stop()
    await cut
    await vi.waitFor(() => expect(signal.aborted).toBe(true))
  })

  test('leaves no signal handler behind', async () => {
    const before = process.listenerCount('SIGTERM')
    const server = await serve({ fetch: () => new Response() })
    expect(process.listenerCount('SIGTERM')).toBe(before + 1)
    await server.stop()
    expect(process.listenerCount('SIGTERM')).toBe(before)
  })

  test('a port that is taken, or none, is an error that says so', async () => {
    const busy = createServer().listen(0, '127.0.0.1')
    await once(busy, 'listening')
    onTestFinished(() => void busy.close())
    const { port } = busy.address() as { port: number }
    const fetch = () => new Response()
    await expect(serve({ fetch, port })).rejects.toMatchObject({
      code: 'SERVER_CONFIG',
      message: expect.stringContaining('EADDRINUSE'),
      cause: { code: 'EADDRINUSE' },
    })
    await expect(serve({ fetch, port: 65_536 })).rejects.toMatchObject({ code: 'SERVER_CONFIG' })
  })
})
