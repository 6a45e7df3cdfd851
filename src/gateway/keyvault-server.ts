import { once } from 'node:events'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import { InfraError } from '../core/index.ts'
import type { KeyVaultEmulator } from './keyvault.ts'
import { selfSigned } from './keyvault-certificate.ts'

export interface ServeKeyVaultOptions {
  readonly emulator: KeyVaultEmulator
  /** 0 for any that is free. Default 8443. */
  readonly port?: number | undefined
  /** Default `127.0.0.1`, this machine alone. */
  readonly host?: string | undefined
}

export interface KeyVaultServer {
  /** `https://127.0.0.1:8443` */
  readonly url: string
  /** PEM, made for this server: what its clients are to trust, by `NODE_EXTRA_CA_CERTS` or `tlsOptions.ca`. */
  readonly certificate: string
  /** Resolves when the requests in flight have been answered. Idempotent. */
  close(): Promise<void>
}

/**
 * Serves a vault over https, which Azure's credentials insist on, with a certificate of its own.
 * @throws InfraError `GATEWAY_CONFIG` if it cannot listen there; `cause` is Node's own error.
 */
export async function serveKeyVault(options: ServeKeyVaultOptions): Promise<KeyVaultServer> {
  const { emulator, port = 8443, host = '127.0.0.1' } = options
  const anywhere = host === '0.0.0.0' || host === '::'
  const hosts = new Set(['localhost', '127.0.0.1', '::1', ...(anywhere ? [] : [host])])
  const { cert, key } = selfSigned([...hosts])
  const server = createServer({ cert, key }, getRequestListener(emulator.fetch))
  server.on('request', (request, response) => {
    // Once it stops listening, a connection that is kept alive would only hold it open.
    response.once('close', () => server.listening || request.socket.end())
  })
  try {
    server.listen(port, host)
    await once(server, 'listening')
  } catch (cause) {
    throw new InfraError({
      kind: 'config',
      component: 'gateway',
      adapter: '-',
      operation: 'listen',
      detail: `cannot listen there (${(cause as NodeJS.ErrnoException).code})`,
      cause,
    })
  }
  const { port: given } = server.address() as AddressInfo
  const name = anywhere ? 'localhost' : host.includes(':') ? `[${host}]` : host
  let closing: Promise<unknown> | undefined
  return {
    url: `https://${name}:${given}`,
    certificate: cert,
    async close() {
      if (closing === undefined) {
        closing = once(server, 'close')
        server.close()
      }
      await closing
    },
  }
}
