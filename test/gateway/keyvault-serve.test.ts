import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { access, mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { promisify } from 'node:util'
import { afterEach, describe, expect, onTestFinished, test } from 'vitest'

const secret = 'tell-nobody'

const children: ChildProcess[] = []
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
})

/** `npm start`, without npm and with nothing in its environment but what is given. */
function start(env: Record<string, string>): ChildProcess {
  const child = spawn(process.execPath, ['src/runtimes/serve.ts'], {
    env: { PATH: process.env.PATH, PORT: '0', ...env },
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

/** Runs lines in a shell, as if they had been pasted. */
async function paste(lines: string, env: Record<string, string> = {}): Promise<string> {
  const options = { env: { PATH: `${dirname(process.execPath)}:${process.env.PATH}`, ...env } }
  return (await promisify(execFile)('sh', ['-c', lines], options)).stdout
}

function curlIn(banner: string): string {
  return /^ +(curl --cacert .*)$/m.exec(banner)![1]!
}

/** `https://127.0.0.1:49152` */
function urlIn(banner: string): string {
  return /keyvault +(https:\S+)/.exec(banner)![1]!
}

async function stop(child: ChildProcess): Promise<void> {
  const exited = once(child, 'exit')
  child.kill('SIGTERM')
  expect(await exited).toEqual([0, null])
}

describe('npm start has a vault', () => {
  test('which a line that is pasted lists, with a certificate that is there until it stops', async () => {
    const child = start({})
    const printed = await banner(child)
    expect(printed).toMatch(/keyvault .*memory/)
    const line = curlIn(printed)
    expect(JSON.parse(await paste(line))).toEqual({ value: [], nextLink: null })
    const [, certificate] = /--cacert (\S+)/.exec(line)!
    await stop(child)
    await expect(access(certificate!)).rejects.toThrow('ENOENT')
  })

  test("which Azure's clients use by what it prints for them", async () => {
    const printed = await banner(start({}))
    const program = `
      import { DefaultAzureCredential } from '@azure/identity'
      import { SecretClient } from '@azure/keyvault-secrets'
      const credential = new DefaultAzureCredential({ disableInstanceDiscovery: true })
      const options = { disableChallengeResourceVerification: true }
      const client = new SecretClient(process.env.VAULT, credential, options)
      await client.setSecret('greeting', 'hello')
      console.log((await client.getSecret('greeting')).value)`
    const [line] = /^ +export .*$/m.exec(printed)!
    const env = { VAULT: urlIn(printed), PROGRAM: program }
    const run = 'node --input-type=module --eval "$PROGRAM"'
    expect(await paste(`${line}\n${run}`, env)).toBe('hello\n')
  })

  test('whose file is there the next time; a token that was given is not printed', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'vault-'))
    onTestFinished(() => rm(folder, { recursive: true }))
    const env = { GATEWAY_TOKEN: secret, KEYVAULT_EMULATOR_FILE: join(folder, 'vault.db') }
    const first = start(env)
    const printed = await banner(first)
    expect(printed).toMatch(/keyvault .*sqlite/)
    expect(printed).not.toContain(secret)
    const put = curlIn(printed).replace('/secrets?', '/secrets/kept?')
    await paste(`${put} -X PUT -d '{"value":"v"}'`, env)
    await stop(first)
    const second = curlIn(await banner(start(env))).replace('/secrets?', '/secrets/kept?')
    expect(JSON.parse(await paste(second, env))).toMatchObject({ value: 'v' })
  })

  test('over plain http only if it is told so', async () => {
    const headers = { authorization: `Bearer ${secret}` }
    const status = async (env: Record<string, string>) => {
      const printed = await banner(start({ GATEWAY_TOKEN: secret, ...env }))
      const [, url] = /listens on (http:\S+)/.exec(printed)!
      return (await fetch(`${url}/keyvault/secrets?api-version=7.6`, { headers })).status
    }
    expect(await status({})).toBe(404)
    expect(await status({ KEYVAULT_EMULATOR_HTTP: 'true' })).toBe(200)
  })

  test('whose certificate goes when the gateway cannot listen', async () => {
    const busy = createServer().listen(0, '127.0.0.1')
    onTestFinished(() => void busy.close())
    await once(busy, 'listening')
    const folder = await mkdtemp(join(tmpdir(), 'vault-'))
    const { port } = busy.address() as { port: number }
    const child = start({ PORT: String(port), TMPDIR: folder })
    expect(await text(child.stderr!)).toMatch(/^dualport: PORT: .*\n$/)
    // Only an empty folder can be removed so.
    await promisify(execFile)('rmdir', [folder])
  })

  test.each<[string, Record<string, string>]>([
    ['KEYVAULT_EMULATOR_PORT', { KEYVAULT_EMULATOR_PORT: secret }],
    ['KEYVAULT_EMULATOR_HTTP', { KEYVAULT_EMULATOR_HTTP: secret }],
    ['KEYVAULT_EMULATOR_FILE', { KEYVAULT_EMULATOR_FILE: '' }],
    ['KEYVAULT_EMULATOR_FILE', { KEYVAULT_EMULATOR_FILE: `/nowhere/${secret}` }],
    ['GATEWAY_TOKEN', { HOST: '0.0.0.0' }],
    [
      'KEYVAULT_EMULATOR_HTTP',
      { HOST: '0.0.0.0', GATEWAY_TOKEN: secret, KEYVAULT_EMULATOR_HTTP: 'true' },
    ],
  ])('a bad %s is one line and exit code 1: %j', async (name, env) => {
    const child = start(env)
    const [said, printed, [code]] = await Promise.all([
      text(child.stderr!),
      text(child.stdout!),
      once(child, 'exit'),
    ])
    expect(said).toMatch(new RegExp(`^dualport: .*\\b${name}\\b.*\n$`))
    expect(said).not.toContain(secret)
    expect([printed, code]).toEqual(['', 1])
  })

  test('a busy KEYVAULT_EMULATOR_PORT is one line and exit code 1', async () => {
    const busy = createServer().listen(0, '127.0.0.1')
    onTestFinished(() => void busy.close())
    await once(busy, 'listening')
    const { port } = busy.address() as { port: number }
    const child = start({ KEYVAULT_EMULATOR_PORT: String(port) })
    const [said, [code]] = await Promise.all([text(child.stderr!), once(child, 'exit')])
    expect(said).toMatch(/^dualport: KEYVAULT_EMULATOR_PORT: .*\n$/)
    expect(code).toBe(1)
  })
})
