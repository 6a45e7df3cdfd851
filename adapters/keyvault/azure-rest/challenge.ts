import { DriverFailure } from '../../../src/core/index.ts'

/** What a vault wants a token for. */
export interface Challenge {
  /** `https://vault.azure.net` */
  readonly resource: string
  /** `https://vault.azure.net/.default` */
  readonly scope: string
  readonly tenantId: string | undefined
}

const defaultScope = '/.default'

/**
 * Reads `Bearer authorization="https://login.microsoftonline.com/TENANT", resource="https://vault.azure.net"`.
 * A host that is not a vault could ask for a token of another service, or of another vault, and use it there:
 * so the vault's host must be one below the resource's, unless `vaultHost` is not given.
 */
export function parseChallenge(header: string | null, vaultHost: string | undefined): Challenge {
  const fields = new Map<string, string>()
  for (const [, name, value] of (header ?? '').matchAll(/(\w+)="([^"]*)"/g)) {
    fields.set(name as string, value as string)
  }
  const given = fields.get('resource') ?? fields.get('scope')
  if (!/^Bearer /i.test(header ?? '') || given === undefined || !URL.canParse(given)) {
    throw refused('internal', 'the reply is no challenge of a vault')
  }
  const scope = given.endsWith(defaultScope) ? given : given + defaultScope
  const resource = scope.slice(0, -defaultScope.length)
  const { protocol, hostname } = new URL(given)
  if (
    vaultHost !== undefined &&
    !(protocol === 'https:' && vaultHost.endsWith(`.${hostname}`) && hostname !== '')
  ) {
    throw refused('config', 'the host of url asks for a token that is not for it; nothing was sent')
  }
  return { resource, scope, tenantId: tenantOf(fields.get('authorization')) }
}

function tenantOf(authorization: string | undefined): string | undefined {
  if (authorization === undefined || !URL.canParse(authorization)) return undefined
  const [, tenant] = new URL(authorization).pathname.split('/')
  return tenant === undefined || !isTenant(tenant) ? undefined : tenant
}

/** An ID or a domain, so that it cannot lead elsewhere in a URL. */
export function isTenant(given: string): boolean {
  return /^[0-9a-zA-Z][0-9a-zA-Z.-]{0,127}$/.test(given)
}

function refused(kind: 'config' | 'internal', detail: string): DriverFailure {
  return new DriverFailure({ kind, outcome: 'not-applied', detail })
}
