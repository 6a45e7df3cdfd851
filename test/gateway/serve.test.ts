import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { promisify } from 'node:util'
import { afterAll, afterEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { startProxy } from '../chaos/proxy.ts'
import { engine, needs } from '../engines/index.ts'
import { freshKey } from './gateway.ts'

const server = await engine('redis-process')
const secret = 'tell-nobody'

const children: ChildProcess[] = []
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
})

/** `npm start`, without npm and with nothing in its environment but what is given. */
function start(env: Record<string, string>): ChildProcess {
  const child = spawn(process.execPath, ['src/runtimes/serve.ts'], {
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  children.push(child)
  return child
}

/** What it prints until it says how to stop it. */
async function banner(child: ChildProcess): Promise<string> {
  const printed: string[] = []
  for await (const line of createInterface(child.stdout!)) {
    printed.push(line)
    if (line.startsWith('Ctrl-C')) return printed.join('\n')
  }
  throw new Error(await text(child.stderr!))
}

function urlIn(banner: string): string {
  return /listens on (http:\S+)/.exec(banner)![1]!
}

/** Runs a line in a shell, as if it had been pasted. */
async function paste(line: string, env: Record<string, string> = {}): Promise<string> {
  const options = { env: { PATH: process.env.PATH, ...env } }
  return (await promisify(execFile)('sh', ['-c', line], options)).stdout
}

/** The line that asks for this path. */
function curlIn(banner: string, path = 'redis'): string {
  return new RegExp(`^ +(curl \\S+/${path} .*)$`, 'm').exec(banner)![1]!
}

describe('npm start', () => {
  test('prints what runs, and a line that works when it is pasted', async () => {
    const child = start({ PORT: '0' })
    const printed = await banner(child)
    expect(printed).toMatch(/^dualport \d+\.\d+\.\d+: /)
    expect(printed).toMatch(/redis .*\/redis .*memory/)
    expect(await paste(curlIn(printed))).toBe('{"result":1}')
    expect(await paste(curlIn(printed))).toBe('{"result":2}')
  })

  test('shows its health, in full to who has the token', async () => {
    const printed = await banner(start({ PORT: '0' }))
    const url = urlIn(printed)
    expect(printed).toContain(`${url}/health\n`)
    expect(JSON.parse(await paste(curlIn(printed, 'health')))).toMatchObject({
      status: 'pass',
      checks: { 'redis:responseTime': [{ status: 'pass' }] },
    })
    for (const path of ['/health', '/health/live', '/health/ready', '/health/startup']) {
      const response = await fetch(url + path)
      expect([response.status, await response.json()]).toEqual([200, { status: 'pass' }])
    }
    expect((await fetch(`${url}/healthy`)).status).toBe(404)
  })

  test('a token that was given is not printed; the shell puts it in', async () => {
    const env = { GATEWAY_TOKEN: secret, GATEWAY_READONLY_TOKEN: `${secret}-too` }
    const printed = await banner(start({ ...env, PORT: '0', HOST: '0.0.0.0' }))
    expect(printed).not.toContain(secret)
    expect(await paste(curlIn(printed), env)).toBe('{"result":1}')
    const read = { authorization: `Bearer ${secret}-too` }
    const response = await fetch(`${urlIn(printed)}/redis/incr/visits`, { headers: read })
    expect(response.status).toBe(403)
  })

  test.each(['SIGINT', 'SIGTERM'] as const)('%s ends it with 0', async (signal) => {
    const child = start({ PORT: '0' })
    await banner(child)
    child.kill(signal)
    expect(await once(child, 'exit')).toEqual([0, null])
  })

  test.each<[string, Record<string, string>]>([
    ['PORT', { PORT: secret }],
    ['PORT', { PORT: '65536' }],
    ['PORT', { PORT: '' }],
    ['HOST', { HOST: `${secret}!` }],
    ['HOST', { HOST: '192.0.2.1', GATEWAY_TOKEN: secret, PORT: '0' }],
    ['GATEWAY_TOKEN', { HOST: '0.0.0.0' }],
    ['GATEWAY_TOKEN', { GATEWAY_TOKEN: '' }],
    ['GATEWAY_TOKEN', { GATEWAY_TOKEN: `${secret} ${secret}` }],
    ['GATEWAY_READONLY_TOKEN', { GATEWAY_TOKEN: secret, GATEWAY_READONLY_TOKEN: secret }],
    ['REDIS_URL', { REDIS_URL: `ftp://${secret}` }],
    ['REDIS_URL', { REDIS_URL: `redis://:${secret}@[` }],
    ['REDIS_URL', { REDIS_URL: `redis://:${secret}@127.0.0.1:6379/not-a-number` }],
    ['REDIS_URL', { REDIS_URL: `https://u:${secret}@127.0.0.1`, REDIS_TOKEN: secret }],
    ['REDIS_TOKEN', { REDIS_URL: `https://${secret}.example` }],
  ])('a bad %s is one line and exit code 1: %j', async (name, env) => {
    const child = start(env)
    const [said, printed, [code]] = await Promise.all([
      text(child.stderr!),
      text(child.stdout!),
      once(child, 'exit'),
    ])
    expect(said).toMatch(new RegExp(`^dualport: .*\\b${name}\\b.*\n$`))
    expect(said + printed).not.toContain(secret)
    expect(printed).toBe('')
    expect(code).toBe(1)
  })

  test('several mistakes are as many lines', async () => {
    const env = { PORT: secret, HOST: '0.0.0.0', REDIS_URL: secret, REDIS_DB: secret }
    const child = start(env)
    const [said, [code]] = await Promise.all([text(child.stderr!), once(child, 'exit')])
    const names = Array.from(said.matchAll(/^dualport: (\w+): .+\n/gm), ([, name]) => name)
    expect(names).toEqual(['PORT', 'GATEWAY_TOKEN', 'REDIS_URL', 'REDIS_DB'])
    expect(said).not.toContain(secret)
    expect(code).toBe(1)
  })

  test('a busy port is one line and exit code 1', async () => {
    const busy = createServer().listen(0, '127.0.0.1')
    await once(busy, 'listening')
    const { port } = busy.address() as { port: number }
    const child = start({ PORT: String(port) })
    const [said, [code]] = await Promise.all([text(child.stderr!), once(child, 'exit')])
    busy.close()
    expect(said).toMatch(/^dualport: PORT: .*\n$/)
    expect(code).toBe(1)
  })
})

describe('npm start with a Redis', needs(server), () => {
  const env = () => ({ REDIS_URL: server.url, GATEWAY_TOKEN: secret, PORT: '0' })
  const headers = { authorization: `Bearer ${secret}` }

  test('serves it', async () => {
    const key = freshKey()
    const printed = await banner(start(env()))
    expect(printed).toContain('ioredis')
    await fetch(`${urlIn(printed)}/redis/set/${key}/v`, { headers })
    expect(await server.command('GET', key)).toBe('v')
  })

  test('its health follows the Redis', async () => {
    const proxy = await startProxy(server.port)
    onTestFinished(() => proxy.close())
    const child = start({ ...env(), REDIS_URL: `redis://127.0.0.1:${proxy.port}` })
    const url = urlIn(await banner(child))
    const status = async () => (await fetch(`${url}/health`)).status
    expect(await status()).toBe(200)
    await proxy.setMode('refuse')
    await vi.waitFor(async () => expect(await status()).toBe(503), 5000)
    await proxy.setMode('pass')
    await vi.waitFor(async () => expect(await status()).toBe(200), 5000)
  })

  test('a gateway may serve another one', async () => {
    const key = freshKey()
    const first = urlIn(await banner(start(env())))
    const second = { ...env(), REDIS_URL: `${first}/redis`, REDIS_TOKEN: secret }
    const printed = await banner(start(second))
    expect(printed).toContain('rest')
    const response = await fetch(`${urlIn(printed)}/redis/incr/${key}`, { headers })
    expect(await response.json()).toEqual({ result: 1 })
  })

  describe('while a request is at the engine', async () => {
    if (server.missing !== undefined) return
    const proxy = await startProxy(server.port)
    afterAll(() => proxy.close())

    async function busy() {
      const child = start({ ...env(), REDIS_URL: `redis://127.0.0.1:${proxy.port}` })
      const url = urlIn(await banner(child))
      await fetch(`${url}/redis/ping`, { headers })
      const stream = await fetch(`${url}/redis/subscribe/${freshKey()}`, { headers })
      await proxy.setMode('blackhole')
      const sent = once(proxy, 'request')
      const request = fetch(`${url}/redis/incr/${freshKey()}`, { headers })
      await sent
      return { child, url, stream, request, exited: once(child, 'exit') }
    }

    test('Ctrl-C lets it finish, ends streams and takes no more', async () => {
      const { child, url, stream, request, exited } = await busy()
      // As under npm: from the terminal, and passed on.
      child.kill('SIGINT')
      child.kill('SIGINT')
      expect(await stream.text()).toMatch(/^data: subscribe,/)
      await vi.waitFor(() => expect(fetch(url)).rejects.toThrow())
      expect(child.exitCode).toBeNull()
      await proxy.setMode('pass')
      expect(await (await request).json()).toEqual({ result: 1 })
      expect(await exited).toEqual([0, null])
    })

    test('a later Ctrl-C ends it at once', async () => {
      const { child, stream, request, exited } = await busy()
      child.kill('SIGINT')
      const failed = expect(request).rejects.toThrow()
      await stream.text()
      await vi.waitFor(() => {
        child.kill('SIGINT')
        expect(child.exitCode).toBe(1)
      }, 4000)
      await failed
      expect(await exited).toEqual([1, null])
      await proxy.setMode('pass')
    })
  })
})
