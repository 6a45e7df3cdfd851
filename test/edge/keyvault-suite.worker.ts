import { azureRest, clientSecret } from '../../adapters/keyvault/azure-rest.ts'
import { KeyVault, type KeyVaultOptions } from '../../src/keyvault/index.ts'
import { keyVaultSuite, runCase } from '../../src/testing/index.ts'

interface Env {
  readonly KEYVAULT_URL: string
  readonly AZURE_TENANT_ID: string
  readonly AZURE_CLIENT_ID: string
  readonly AZURE_CLIENT_SECRET: string
}

/** One client for all requests, as a Worker would have it. */
let shared: KeyVault | undefined

function connect(env: Env, options: KeyVaultOptions): KeyVault {
  const url = env.KEYVAULT_URL
  const credential = clientSecret({
    tenantId: env.AZURE_TENANT_ID,
    clientId: env.AZURE_CLIENT_ID,
    clientSecret: env.AZURE_CLIENT_SECRET,
    authorityHost: url,
    allowHttp: true,
  })
  return new KeyVault(
    azureRest({ url, credential, allowHttp: true, verifyChallenge: false }),
    options,
  )
}

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const create = (options: KeyVaultOptions) => connect(env, options)
    shared ??= create({ logger: false })
    const keyvault = shared
    const { pathname, searchParams } = new URL(request.url)
    if (pathname === '/load') return load(keyvault, searchParams.get('name') as string)

    const name = searchParams.get('case')
    const found = keyVaultSuite.cases.find((each) => each.name === name)
    if (found === undefined) return new Response('there is no such case', { status: 404 })
    try {
      await runCase(keyVaultSuite, found, { keyvault, create })
      return Response.json({ passed: true })
    } catch (error) {
      return Response.json({ passed: false, error: (error as Error).stack })
    }
  },
}

/** What one request of many does with the client that they share. */
async function load(keyvault: KeyVault, name: string): Promise<Response> {
  await keyvault.setSecret(name, `value of ${name}`)
  const [one, two] = await keyvault.getSecrets([name, name])
  return Response.json([one?.reveal(), two?.reveal()])
}
