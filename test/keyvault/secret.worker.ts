import { azureRest } from '../../adapters/keyvault/azure-rest.ts'
import { KeyVault } from '../../src/keyvault/index.ts'

interface Env {
  readonly VAULT: string
}

// At module level, where Workers keep their clients: nothing in it may belong to a request.
let keyvault: KeyVault | undefined

/** Reads a secret, shows it in every way that a Worker has, and gives its value. */
export default {
  async fetch(_: Request, env: Env): Promise<Response> {
    keyvault ??= new KeyVault(
      azureRest({
        url: env.VAULT,
        allowHttp: true,
        verifyChallenge: false,
        credential: async () => 'token-of-the-tests',
      }),
      { logSuccess: true },
    )
    const secret = await keyvault.getSecret('a')
    console.log(secret)
    console.log([secret], { deep: { secret } }, `${secret}`, JSON.stringify(secret))
    console.log(new Error('about it', { cause: secret }), { ...secret }, structuredClone(secret))
    return new Response(secret.reveal())
  },
}
