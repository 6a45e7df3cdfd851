import { randomBytes } from 'node:crypto'
import * as v from 'valibot'
import { ConfigError, createInfrastructure, type Infrastructure } from '../config/auto.node.ts'
import { Problems } from '../config/problems.ts'
import { fromEnv } from '../config/settings.ts'
import { flag, integer, validate } from '../config/validation.ts'
import { isInfraError } from '../core/index.ts'
import { createGateway } from '../gateway/index.ts'
import { type HealthGroup, healthHandler } from '../health/index.ts'
import { type LocalVault, startLocalVault } from './local-vault.ts'
import { serveNode } from './node.ts'
import { healthPath } from './service.ts'
import { version } from './version.ts'

// A program: `npm start`, and what `dualport serve` imports.

const variables = {
  host: ['HOST'],
  port: ['PORT'],
  token: ['GATEWAY_TOKEN'],
  readOnlyToken: ['GATEWAY_READONLY_TOKEN'],
  vaultPort: ['KEYVAULT_EMULATOR_PORT'],
  vaultFile: ['KEYVAULT_EMULATOR_FILE'],
  vaultHttp: ['KEYVAULT_EMULATOR_HTTP'],
}

const token = v.pipe(v.string(), v.regex(/^[\x21-\x7e]+$/))
const wantedToken = 'give it printable ASCII without spaces, or unset it'
const port = integer(0, 65_535)
const wantedPort = 'give it a port from 0 to 65535'
const fields = {
  host: [v.pipe(v.string(), v.regex(/^[\w.:-]+$/)), 'give it an address of this machine'],
  port: [port, wantedPort],
  token: [token, wantedToken],
  readOnlyToken: [token, wantedToken],
  vaultPort: [port, wantedPort],
  vaultFile: [v.pipe(v.string(), v.minLength(1)), 'give it a path, or unset it'],
  vaultHttp: [flag, 'give it true or false'],
} as const

try {
  await main()
} catch (error) {
  if (!(error instanceof ConfigError)) throw error
  for (const problem of error.problems) console.error(`dualport: ${problem}`)
  process.exit(1)
}

async function main(): Promise<void> {
  const { host, port, token, readOnlyToken, vaultOptions, infra } = configure(process.env)
  // A vault that is configured is for the program: the one that is served is the emulator's.
  const { keyvault: _, ...served } = infra.describe()
  if (served.mysql?.adapter === 'memory') {
    await infra.close()
    throw new ConfigError(['MYSQL_URL: give it mysql://host, or unset it; memory: is SQLite'])
  }
  const gatewayToken = token ?? randomBytes(18).toString('base64url')
  const vault = await startLocalVault({ ...vaultOptions, host, token: gatewayToken }).catch(
    (error) => {
      throw vaultProblem(error)
    },
  )
  const gateway = createGateway({
    token: gatewayToken,
    readOnlyToken,
    redis: infra.redis,
    kafka: infra.kafka,
    mongodb: infra.mongodb,
    sqlserver: infra.sqlserver,
    // There is nothing of theirs that could be embedded.
    mysql: served.mysql && infra.mysql,
    scylladb: served.scylladb && infra.scylladb,
    keyvault: vaultOptions.allowHttp ? vault.emulator : undefined,
  })
  const health = healthHandler(infra.health, { token: gatewayToken })

  const { url } = await serveNode({
    host,
    port,
    infra: {
      health: infra.health,
      async close() {
        await Promise.all([infra.close(), vault.close()])
      },
    },
    fetch(request) {
      const match = healthPath.exec(new URL(request.url).pathname)
      if (match === null) return gateway.fetch(request)
      return health(request, match[1] as HealthGroup | undefined)
    },
    onDrain: () => gateway.close(),
  }).catch(async (error) => {
    await vault.close()
    throw cannotListen(error, 'PORT')
  })

  // A token that was configured is not for the screen; the shell fills it in.
  const shown = token === undefined ? gatewayToken : '$GATEWAY_TOKEN'
  const rows = [
    ...Object.entries(served).map(([name, { adapter }]) => [name, `${url}/${name}`, adapter]),
    ['keyvault', vault.url, vault.adapter],
    ['health', `${url}/health`],
  ] as [name: string, url: string, adapter?: string][]
  const width = Math.max(...rows.map(([, url]) => url.length))
  const backends = rows.map(([name, url, adapter]) =>
    `  ${name.padEnd(9)} ${url.padEnd(width)} ${adapter === undefined ? '' : `  adapter: ${adapter}`}`.trimEnd(),
  )
  console.log(`dualport ${version}: the gateway listens on ${url}

${backends.join('\n')}

Try it:

  curl ${url}/redis -H "Authorization: Bearer ${shown}" -d '["INCR","visits"]'
  curl ${url}/kafka/topics -H "Authorization: Bearer ${shown}"
  curl ${url}/mongodb/action/insertOne -H "Authorization: Bearer ${shown}" -H 'Content-Type: application/json' -d '{"database":"test","collection":"a","document":{"n":1}}'
  curl ${url}/sqlserver/query -H "Authorization: Bearer ${shown}" -d '{"text":"select 1 as one"}'
  curl ${url}/health -H "Authorization: Bearer ${shown}"
  curl --cacert ${vault.certificate} '${vault.url}/secrets?api-version=7.6' -H "Authorization: Bearer ${shown}"

For Azure's clients:

  export ${environment(vault)} AZURE_CLIENT_SECRET="${shown}"

Ctrl-C stops it.`)
}

function environment({ env }: LocalVault): string {
  return Object.entries(env)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ')
}

/** @throws ConfigError with everything that is wrong, the backends' part included. */
function configure(env: NodeJS.ProcessEnv) {
  const problems = new Problems()
  const given = fromEnv(env, variables, problems)
  const own = given === undefined ? {} : validate(fields, given, problems)
  const { host = '127.0.0.1', port = 8080, token, readOnlyToken } = own
  const vaultOptions = {
    port: own.vaultPort ?? 0,
    file: own.vaultFile,
    allowHttp: own.vaultHttp ?? false,
  }
  if (!/^(localhost|127\.[\d.]+|::1)$/.test(host)) {
    const open = 'since HOST lets other machines in'
    if (env.GATEWAY_TOKEN === undefined) problems.add('GATEWAY_TOKEN', `set it, ${open}`)
    if (vaultOptions.allowHttp) problems.add('KEYVAULT_EMULATOR_HTTP', `unset it, ${open}`)
  }
  if (token !== undefined && token === readOnlyToken) {
    problems.add('GATEWAY_READONLY_TOKEN', 'give it another value than GATEWAY_TOKEN')
  }
  let infra: Infrastructure
  try {
    // Callers retry, with the whole of the time that they have; a retry here as well would multiply theirs.
    infra = createInfrastructure(env, { retry: false, embedded: true })
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    throw new ConfigError([...problems.lines, ...error.problems])
  }
  if (problems.count > 0) throw new ConfigError(problems.lines)
  return { host, port, token, readOnlyToken, vaultOptions, infra }
}

function vaultProblem(error: unknown): unknown {
  if (isInfraError(error) && error.component === 'keyvault') {
    return new ConfigError([
      'KEYVAULT_EMULATOR_FILE: give it a file that SQLite can open, or unset it',
    ])
  }
  return cannotListen(error, 'KEYVAULT_EMULATOR_PORT')
}

function cannotListen(error: unknown, portVariable: string): unknown {
  if (!isInfraError(error, 'config')) return error
  const { code } = error.cause as NodeJS.ErrnoException
  switch (code) {
    case 'EADDRINUSE':
      return new ConfigError([
        `${portVariable}: it is in use; stop the other program, or set another`,
      ])
    case 'EACCES':
      return new ConfigError([`${portVariable}: this user may not open it; set one above 1023`])
    default:
      return new ConfigError([
        `HOST: cannot listen there (${code}); give it an address of this machine`,
      ])
  }
}
