import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { memory } from '../../adapters/keyvault/memory.ts'
import {
  createKeyVaultEmulator,
  defaultIdentity,
  type KeyVaultEmulator,
} from '../gateway/keyvault.ts'
import { serveKeyVault } from '../gateway/keyvault-server.ts'
import { KeyVault } from '../keyvault/index.ts'

export interface LocalVaultOptions {
  readonly host: string
  readonly port: number
  /** SQLite. Default: in memory. */
  readonly file: string | undefined
  readonly allowHttp: boolean
  /** Opens the vault, and is the secret of the application that Azure's clients are. */
  readonly token: string
}

export interface LocalVault {
  readonly adapter: string
  readonly url: string
  readonly emulator: KeyVaultEmulator
  /** Of the file with its certificate, which is there until `close`. */
  readonly certificate: string
  /** What Azure's clients on this machine want to know, but for the secret. */
  readonly env: Readonly<Record<string, string>>
  close(): Promise<void>
}

/** Azure Key Vault's emulator, over https. Rejects with an InfraError if it cannot be opened or cannot listen. */
export async function startLocalVault(options: LocalVaultOptions): Promise<LocalVault> {
  const { host, port, file, allowHttp, token } = options
  const keyvault = new KeyVault(file === undefined ? memory() : await inFile(file), {
    retry: false,
  })
  const emulator = createKeyVaultEmulator({ keyvault, clientSecret: token, token, allowHttp })
  const server = await serveKeyVault({ emulator, host, port })
  const certificate = join(await mkdtemp(join(tmpdir(), 'dualport-')), 'vault.pem')
  await writeFile(certificate, server.certificate)
  return {
    adapter: keyvault.adapter,
    url: server.url,
    emulator,
    certificate,
    env: {
      NODE_EXTRA_CA_CERTS: certificate,
      AZURE_AUTHORITY_HOST: server.url,
      AZURE_TENANT_ID: defaultIdentity,
      AZURE_CLIENT_ID: defaultIdentity,
    },
    async close() {
      await server.close()
      await keyvault.close()
      await rm(dirname(certificate), { recursive: true })
    },
  }
}

async function inFile(path: string) {
  // Not before it is needed: `node:sqlite` is loaded with it.
  const { sqlite } = await import('../../adapters/keyvault/sqlite.ts')
  return sqlite({ path })
}
