import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createInterface } from 'node:readline'
import { describe, expect, onTestFinished, test } from 'vitest'
import manifest from '../../package.json' with { type: 'json' }
import { startProxy } from '../chaos/proxy.ts'
import { engine, needs } from '../engines/index.ts'
import { startGateway, token } from '../gateway/gateway.ts'

const server = await engine('redis-process')
const secret = 'tell-nobody'

interface Ran {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** `dualport ...args`, with nothing in its environment but what is given. */
function dualport(args: readonly string[], env: Record<string, string> = {}): Promise<Ran> {
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      ['src/runtimes/cli.ts', ...args],
      { env: { PATH: process.env.PATH, ...env } },
      (_error, stdout, stderr) => resolve({ code: child.exitCode ?? -1, stdout, stderr }),
    )
  })
}

async function endpoint(listener: RequestListener): Promise<string> {
  const http = createServer(listener).listen(0, '127.0.0.1')
  await once(http, 'listening')
  onTestFinished(() => {
    http.closeAllConnections()
    http.close()
  })
  return `http://127.0.0.1:${(http.address() as AddressInfo).port}/health`
}

test('--help and --version', async () => {
  const [help, version] = await Promise.all([dualport(['--help']), dualport(['--version'])])
  expect(help).toMatchObject({ code: 0, stderr: '' })
  for (const word of ['serve', 'check', '--json']) expect(help.stdout).toContain(word)
  expect(version).toEqual({ code: 0, stdout: `${manifest.version}\n`, stderr: '' })
})

test.each([
  [],
  ['chekc'],
  ['check', '--jsn'],
  ['check', 'http://127.0.0.1', 'more'],
  ['serve', 'more'],
])('%j is wrong usage: 2', async (...args) => {
  const ran = await dualport(args)
  expect(ran).toMatchObject({ code: 2, stdout: '' })
  expect(ran.stderr).toContain('dualport check URL')
})

test('serve is what npm start runs', async () => {
  const child = spawn(process.execPath, ['src/runtimes/cli.ts', 'serve'], {
    env: { PORT: '0' },
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string]
  const url = /listens on (http:\S+)/.exec(line)?.[1]
  expect(await dualport(['check', `${url}/health`])).toMatchObject({ code: 0 })
  child.kill('SIGTERM')
  expect(await once(child, 'exit')).toEqual([0, null])
})

describe('check', () => {
  test('a configuration that is wrong is a line for each problem: 2', async () => {
    const ran = await dualport(['check'], { REDIS_URL: `ftp://${secret}`, REDIS_PORT: secret })
    expect(ran).toMatchObject({ code: 2, stdout: '' })
    expect(ran.stderr).toMatch(/^dualport: REDIS_URL: .*\ndualport: REDIS_PORT: .*\n$/)
    expect(ran.stderr).not.toContain(secret)
  })

  test('no configuration is a problem: 2', async () => {
    const ran = await dualport(['check'])
    expect(ran).toMatchObject({ code: 2, stdout: '' })
    expect(ran.stderr).toMatch(/^dualport: REDIS_URL: set it/)
  })

  test('a backend that answers: 0', needs(server), async () => {
    const env = { REDIS_URL: server.url }
    const [table, json] = await Promise.all([
      dualport(['check'], env),
      dualport(['check', '--json'], env),
    ])
    expect(table).toMatchObject({ code: 0, stderr: '' })
    expect(table.stdout).toMatch(/^redis +healthy +[\d.]+ ms\n$/)
    expect(json.code).toBe(0)
    expect(JSON.parse(json.stdout)).toMatchObject({
      status: 'healthy',
      checks: { redis: { status: 'healthy', latencyMs: expect.any(Number) } },
    })
  })

  test('a backend that does not: 1, and why, without its credentials', needs(server), async () => {
    const proxy = await startProxy(server.port)
    onTestFinished(() => proxy.close())
    await proxy.setMode('reset')
    const env = { REDIS_URL: `redis://:${secret}@127.0.0.1:${proxy.port}` }
    const ran = await dualport(['check'], env)
    expect(ran.code).toBe(1)
    expect(ran.stdout).toMatch(/^redis +unhealthy .*REDIS_UNAVAILABLE\n$/)
    expect(ran.stderr).toMatch(/^dualport: .*redis ping: the connection .*\n$/)
    expect(ran.stdout + ran.stderr).not.toContain(secret)
  })

  test('over HTTP, through the gateway', needs(server), async () => {
    const gateway = await startGateway(server.url)
    const env = { REDIS_URL: `${gateway.url}/redis`, REDIS_TOKEN: token }
    expect(await dualport(['check'], env)).toMatchObject({ code: 0, stderr: '' })
    const refused = await dualport(['check'], { ...env, REDIS_TOKEN: secret })
    expect(refused.code).toBe(1)
    expect(refused.stdout).toContain('REDIS_UNAUTHENTICATED')
  })
})

describe('check URL', () => {
  const json = (status: number, body: unknown): RequestListener => {
    return (_request, response) => {
      response.writeHead(status, { 'content-type': 'application/health+json' })
      response.end(JSON.stringify(body))
    }
  }
  const down = {
    status: 'fail',
    checks: {
      'redis:responseTime': [
        { status: 'fail', observedValue: 12, output: 'REDIS_TIMEOUT\u001b[2J' },
      ],
      'vault:responseTime': [{ status: 'pass', observedValue: 3 }],
    },
  }

  test('shows what the endpoint shows, and nothing that steers the terminal: 1', async () => {
    const url = await endpoint(json(503, down))
    const ran = await dualport(['check', url])
    expect(ran).toMatchObject({ code: 1, stderr: '' })
    expect(ran.stdout).toMatch(/^endpoint +unhealthy +\d+ ms +HTTP 503\n/)
    expect(ran.stdout).toMatch(/^redis +unhealthy +12 ms +REDIS_TIMEOUT\?\[2J$/m)
    expect(ran.stdout).toMatch(/^vault +healthy +3 ms$/m)
    expect(JSON.parse((await dualport(['check', url, '--json'])).stdout)).toMatchObject({
      status: 'unhealthy',
      checks: { redis: { status: 'unhealthy', latencyMs: 12 }, vault: { status: 'healthy' } },
    })
  })

  test.each<[string, RequestListener, number, RegExp]>([
    ['healthy', json(200, { status: 'pass' }), 0, /^endpoint +healthy/],
    ['degraded', json(200, { status: 'warn' }), 0, /^endpoint +degraded/],
    ['failing with 200', json(200, { status: 'fail' }), 1, /^endpoint +unhealthy/],
    ['of another kind', (_, response) => response.end('OK'), 0, /^endpoint +healthy/],
    ['missing', (_, response) => response.writeHead(404).end('no'), 1, /HTTP 404/],
    ['of JSON that is something else', json(200, [null, { checks: 7 }]), 0, /^endpoint +healthy/],
    ['that hangs up', (request) => request.socket.destroy(), 1, /no answer/],
  ])('an endpoint that is %s', async (_, listener, code, stdout) => {
    expect(await dualport(['check', await endpoint(listener)])).toEqual({
      code,
      stdout: expect.stringMatching(stdout),
      stderr: '',
    })
  })

  test('sends HEALTH_TOKEN', async () => {
    const url = await endpoint(({ headers }, response) => {
      response.writeHead(headers.authorization === `Bearer ${secret}` ? 200 : 401).end()
    })
    expect(await dualport(['check', url], { HEALTH_TOKEN: secret })).toMatchObject({ code: 0 })
    expect(await dualport(['check', url])).toMatchObject({ code: 1 })
  })

  test.each([
    ['ftp://127.0.0.1', {}],
    ['health', {}],
    [`http://u:${secret}@127.0.0.1/health`, {}],
    ['http://127.0.0.1/health', { HEALTH_TOKEN: `${secret}\n` }],
  ])('%j with %j is wrong: 2', async (url, env) => {
    const ran = await dualport(['check', url], env as Record<string, string>)
    expect(ran).toMatchObject({ code: 2, stdout: '' })
    expect(ran.stderr).toMatch(/^dualport: (URL|HEALTH_TOKEN): give it .*\n$/)
    expect(ran.stderr).not.toContain(secret)
  })
})
