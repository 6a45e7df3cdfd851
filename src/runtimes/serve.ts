import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import { isInfraError } from '../core/index.ts'
import { createGateway } from '../gateway/index.ts'
import { Redis, type RedisDriver } from '../redis/index.ts'

/** How long a stop waits for requests in flight, in milliseconds. */
const drainMs = 10_000

interface Manifest {
  readonly name: string
  readonly version: string
}

/** Something that whoever starts this can put right. The message names the variable, never its value. */
class StartError extends Error {}

try {
  await main()
} catch (error) {
  if (!(error instanceof StartError)) throw error
  console.error(`dualport: ${error.message}`)
  process.exit(1)
}

async function main(): Promise<void> {
  const host = variable('HOST', /^[\w.:-]+$/, 'an address of this machine') ?? '127.0.0.1'
  const port = Number(variable('PORT', /^\d{1,5}$/, 'a port from 0 to 65535') ?? 8080)
  if (port > 65_535) throw new StartError('PORT: give it a port from 0 to 65535')
  const configuredToken = token('GATEWAY_TOKEN')
  const readOnlyToken = token('GATEWAY_READONLY_TOKEN')
  if (configuredToken === undefined && !/^(localhost|127\.[\d.]+|::1)$/.test(host)) {
    throw new StartError('GATEWAY_TOKEN: set it, since HOST lets other machines in')
  }
  if (configuredToken !== undefined && configuredToken === readOnlyToken) {
    throw new StartError('GATEWAY_READONLY_TOKEN: give it another value than GATEWAY_TOKEN')
  }
  // Callers retry, with the whole of the time that they have; a retry here as well would multiply theirs.
  const redis = new Redis(await openRedis(), { retry: false })
  const gatewayToken = configuredToken ?? randomBytes(18).toString('base64url')
  const gateway = createGateway({ token: gatewayToken, readOnlyToken, redis })

  const server = createServer(getRequestListener(gateway.fetch))
  server.on('request', (request, response) => {
    // Once it stops listening, a connection that is kept alive would only hold it open.
    response.once('close', () => server.listening || request.socket.end())
  })
  server.listen(port, host)
  try {
    await once(server, 'listening')
  } catch (error) {
    throw listenError((error as NodeJS.ErrnoException).code)
  }
  stopOnSignal(async () => {
    gateway.close()
    const closed = once(server, 'close')
    server.close()
    const late = setTimeout(() => server.closeAllConnections(), drainMs)
    await closed
    clearTimeout(late)
    await redis.close()
  })

  const url = urlOf(server.address() as AddressInfo)
  const { name, version } = createRequire(import.meta.url)('dualport/package.json') as Manifest
  // A token that was configured is not for the screen; the shell fills it in.
  const shown = configuredToken === undefined ? gatewayToken : '$GATEWAY_TOKEN'
  console.log(`${name} ${version}: the gateway listens on ${url}

  redis  ${url}/redis  adapter: ${redis.adapter}

Try it:

  curl ${url}/redis -H "Authorization: Bearer ${shown}" -d '["INCR","visits"]'

Ctrl-C stops it.`)
}

/** The value of an environment variable, `undefined` without it. */
function variable(name: string, form: RegExp, wanted: string): string | undefined {
  const value = process.env[name]
  if (value !== undefined && !form.test(value)) {
    throw new StartError(`${name}: give it ${wanted}, or unset it`)
  }
  return value
}

function token(name: string): string | undefined {
  return variable(name, /^[\x21-\x7e]+$/, 'printable ASCII without spaces')
}

async function openRedis(): Promise<RedisDriver> {
  const form = /^(memory:|(rediss?|https?):\/\/\S+)$/
  const url = variable('REDIS_URL', form, 'memory:, redis://..., rediss://... or https://...')
  const restToken = token('REDIS_TOKEN')
  if (url?.startsWith('http') && restToken === undefined) {
    throw new StartError('REDIS_TOKEN: set it, since REDIS_URL is over HTTP')
  }
  try {
    return await redisDriver(url ?? 'memory:', restToken ?? '')
  } catch (error) {
    if (isInfraError(error, 'config')) throw new StartError(`REDIS_URL: ${error.message}`)
    throw error
  }
}

/** The scheme names the adapter. Only that one is loaded. */
async function redisDriver(url: string, restToken: string): Promise<RedisDriver> {
  if (url === 'memory:') return (await import('../../adapters/redis/memory.ts')).memory()
  if (url.startsWith('http')) {
    return (await import('../../adapters/redis/rest.ts')).rest({ url, token: restToken })
  }
  return (await import('../../adapters/redis/ioredis.ts')).ioredis({ url })
}

function listenError(code: string | undefined): StartError {
  switch (code) {
    case 'EADDRINUSE':
      return new StartError(
        'PORT: it is in use; stop the other program, or give PORT another value',
      )
    case 'EACCES':
      return new StartError('PORT: this user may not open it; give PORT a value above 1023')
    default:
      return new StartError(
        `HOST: cannot listen there (${code}); give it an address of this machine`,
      )
  }
}

function urlOf({ address, family, port }: AddressInfo): string {
  if (address === '0.0.0.0' || address === '::') return `http://localhost:${port}`
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`
}

/** Runs `stop` once and exits. A second signal exits at once. */
function stopOnSignal(stop: () => Promise<void>): void {
  let firstAt: number | undefined
  const onSignal = () => {
    if (firstAt === undefined) {
      firstAt = performance.now()
      stop().then(
        () => process.exit(0),
        (error: unknown) => {
          console.error(
            `dualport: ${isInfraError(error) ? error.message : 'could not stop cleanly'}`,
          )
          process.exit(1)
        },
      )
      return
    }
    // One Ctrl-C comes twice under npm: from the terminal, and passed on by npm.
    if (performance.now() - firstAt > 500) process.exit(1)
  }
  process.on('SIGINT', onSignal)
  process.on('SIGTERM', onSignal)
}
