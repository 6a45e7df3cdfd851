import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Redis as Client } from 'ioredis'
import { afterAll, describe, expect, onTestFinished, test } from 'vitest'
import { memory } from '../../adapters/keyvault/memory.ts'
import { KeyVault } from '../../src/keyvault/index.ts'
import { collectLines } from '../../src/testing/collect.ts'
import { engine, needs } from '../engines/index.ts'
import { startRedis } from '../engines/redis.ts'
import { identity } from '../gateway/keyvault-emulator.ts'
import { serveHttp } from './emulator.ts'

/** Each in need of another kind of escaping, and none with a part that may occur by chance. */
const values = [
  'kE7-plain-value-of-the-tests',
  'quoted "value" of the \\tests\\',
  'first line of it\nsecond line of it\t\r\n',
  'ünïcode välue of the tests 🔑 大',
  '{"connection":"string","of":"the tests"}',
]

/** How a value may be written. */
function forms(value: string): string[] {
  const bytes = Buffer.from(value)
  // In base64, three ways, by where in the encoded bytes it begins; without what is its neighbours'.
  const within = [0, 1, 2].map((offset) => {
    const encoded = Buffer.concat([Buffer.alloc(offset), bytes]).toString('base64')
    const end = -(4 + ((bytes.length + offset) % 3))
    return encoded.slice(offset === 0 ? 0 : 4, end)
  })
  return [
    value,
    JSON.stringify(value).slice(1, -1),
    JSON.stringify(JSON.stringify(value)).slice(3, -3),
    encodeURIComponent(value),
    bytes.toString('hex'),
    ...within,
    ...within.map((text) => text.replaceAll('+', '-').replaceAll('/', '_')),
  ]
}

/** The forms of any of these that a text has in it. */
function found(secrets: readonly string[], text: string): string[] {
  return secrets.flatMap(forms).filter((form) => text.includes(form))
}

test.each(values)('the search would find %j', (value) => {
  const around = (text: string) => [...forms(value)].some((form) => text.includes(form))
  expect(around(`log: ${value}.`)).toBe(true)
  expect(around(JSON.stringify({ deep: JSON.stringify({ value }) }))).toBe(true)
  for (const before of ['', 'a', 'ab']) {
    expect(around(Buffer.from(`${before}${value}abc`).toString('base64'))).toBe(true)
    expect(around(Buffer.from(`${before}${value}`).toString('base64url'))).toBe(true)
  }
})

const available = await engine('redis-process')

describe('in a run of everything', needs(available), () => {
  const { lines, logger } = collectLines()
  const vault = new KeyVault(memory(), { retry: false, logger, logSuccess: true })
  afterAll(() => vault.close())

  test('no secret is in a dump of Redis, in what went there, or in any log', async () => {
    const { url } = await serveHttp(vault)
    const password = 'password-of-the-redis'
    // Compressed, a value would be hidden in part.
    const server = await startRedis({ password, args: ['--rdbcompression', 'no'] })
    onTestFinished(() => server.stop())
    await vault.setSecret('redis-password', password)
    const client = new Client(server.url, { password })
    const monitor = await client.monitor()
    onTestFinished(() => {
      monitor.disconnect()
      client.disconnect()
    })
    const commands: string[] = []
    monitor.on('monitor', (_: string, args: string[]) => commands.push(args.join('\n')))

    const cacheKey = Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('base64')
    const program = fileURLToPath(new URL('./plaintext.program.ts', import.meta.url))
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [program], {
      maxBuffer: 2 ** 28,
      env: {
        ...process.env,
        VALUES: JSON.stringify(values),
        REDIS_URL: undefined,
        REDIS_HOST: '127.0.0.1',
        REDIS_PORT: `${server.port}`,
        REDIS_PASSWORD: 'keyvault:redis-password',
        KEYVAULT_URL: url,
        KEYVAULT_ALLOW_HTTP: 'true',
        KEYVAULT_VERIFY_CHALLENGE: 'false',
        KEYVAULT_CACHE_KEY: cacheKey,
        KEYVAULT_CACHE_LOCK: 'true',
        AZURE_TENANT_ID: identity.tenantId,
        AZURE_CLIENT_ID: identity.clientId,
        AZURE_CLIENT_SECRET: identity.clientSecret,
        AZURE_AUTHORITY_HOST: url,
      },
    })
    const [, directory] = (await client.config('GET', 'dir')) as [string, string]
    await client.save()
    const dump = await readFile(join(directory, 'dump.rdb'), 'latin1')
    // As bytes: text of another encoding would not be found.
    const bytes = (text: string) => Buffer.from(text).toString('latin1')

    const log = `${stdout}${stderr}${JSON.stringify(lines)}`
    for (const what of ['operation_completed', 'KEYVAULT_CONFLICT', 'plain-0', '"getSecrets"']) {
      expect(log).toContain(what)
    }
    expect(dump).toContain('dualport:keyvault:')
    expect(commands.join('\n')).toContain('dualport:keyvault:')

    const credentials = [password, identity.clientSecret, cacheKey]
    expect(found([...values, ...credentials], log)).toEqual([])
    expect(found(values.map(bytes), dump)).toEqual([])
    expect(found([...values, identity.clientSecret, cacheKey], dump)).toEqual([])
    expect(found([...values, identity.clientSecret, cacheKey], commands.join('\n'))).toEqual([])
  })
})
