import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { ClientSecretCredential } from '@azure/identity'
import { SecretClient, type SecretClientOptions } from '@azure/keyvault-secrets'
import { afterAll } from 'vitest'
import { azureRest, clientSecret } from '../../adapters/keyvault/azure-rest.ts'
import { memory } from '../../adapters/keyvault/memory.ts'
import {
  createKeyVaultEmulator,
  type KeyVaultEmulator,
  type KeyVaultEmulatorOptions,
  serveKeyVault,
} from '../../src/gateway/index.ts'
import { KeyVault, type KeyVaultDriver } from '../../src/keyvault/index.ts'

export const identity = {
  tenantId: '11111111-2222-3333-4444-555555555555',
  clientId: '66666666-7777-8888-9999-000000000000',
  clientSecret: 'the-secret-of-the-application',
}
export const token = 'token-for-curl'

type Identity = Partial<typeof identity>

export interface TestEmulator {
  /** `https://127.0.0.1:49152` */
  readonly url: string
  readonly certificate: string
  readonly emulator: KeyVaultEmulator
  /** The vault behind it. */
  readonly keyvault: KeyVault
  /** Microsoft's own client, with Microsoft's own credential. */
  sdk(as?: Identity, options?: SecretClientOptions): SecretClient
  credential(as?: Identity): ClientSecretCredential
  /** `azure-rest` with its own credential. */
  rest(as?: Identity): KeyVault
  /** `fetch`, with the token unless headers say otherwise, and with an api-version unless the path has one. */
  request(path: string, init?: RequestInit): Promise<Response>
  close(): Promise<void>
}

/** For the SDK: two tries would only hide the first. */
export const sdkOptions: SecretClientOptions = {
  retryOptions: { maxRetries: 0 },
  disableChallengeResourceVerification: true,
}

/** An emulator over https, over a vault in memory unless a driver is given, until the last test of the file. */
export async function startEmulator(
  options: Partial<KeyVaultEmulatorOptions> & { readonly driver?: KeyVaultDriver } = {},
): Promise<TestEmulator> {
  const { driver = memory(), ...rest } = options
  const keyvault = new KeyVault(driver, { retry: false, logger: false })
  const emulator = createKeyVaultEmulator({ keyvault, token, ...identity, ...rest })
  const { url, certificate, close } = await serveKeyVault({ emulator, port: 0 })
  setDefaultCACertificates([...getCACertificates('default'), certificate])
  const credential = (as: Identity = {}) => {
    const { tenantId, clientId, clientSecret } = { ...identity, ...as }
    return new ClientSecretCredential(tenantId, clientId, clientSecret, {
      authorityHost: url,
      // It would ask Microsoft whether this is one of its hosts.
      disableInstanceDiscovery: true,
      retryOptions: { maxRetries: 0 },
    })
  }
  let closing: Promise<void> | undefined
  const end = async () => {
    await close()
    await keyvault.close()
  }
  const emulated: TestEmulator = {
    url,
    certificate,
    emulator,
    keyvault,
    credential,
    sdk: (as, options) => new SecretClient(url, credential(as), { ...sdkOptions, ...options }),
    rest: (as) =>
      new KeyVault(
        azureRest({
          url,
          credential: clientSecret({ ...identity, ...as, authorityHost: url }),
          verifyChallenge: false,
        }),
        { retry: false, logger: false },
      ),
    request: (path, { headers, ...init } = {}) =>
      fetch(url + path + (path.includes('api-version') ? '' : '?api-version=7.6'), {
        ...init,
        headers: { authorization: `Bearer ${token}`, ...headers },
      }),
    close() {
      closing ??= end()
      return closing
    },
  }
  afterAll(() => emulated.close())
  return emulated
}
