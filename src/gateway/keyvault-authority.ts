import { createHmac, hash, timingSafeEqual } from 'node:crypto'

/** What a vault's tokens are for. */
const resource = 'https://vault.azure.net'

const lifeSeconds = 3600

interface AuthorityOptions {
  readonly tenantId: string
  readonly clientId: string
  readonly clientSecret: string
  /** Another token that opens the vault, as it is. */
  readonly token: string | undefined
  readonly clock: () => number
}

/** An answer of Microsoft Entra ID. */
interface Reply {
  readonly status: number
  readonly body: object
}

/**
 * As much of Microsoft Entra ID as a vault's clients need: one tenant with one application, which gets tokens
 * for its secret.
 */
export class Authority {
  readonly tenantId: string
  readonly #clientId: string
  readonly #clientSecret: string
  readonly #token: string | undefined
  readonly #clock: () => number
  /** Not random: tokens outlive a restart, as Azure's do. */
  readonly #key: Buffer

  constructor({ tenantId, clientId, clientSecret, token, clock }: AuthorityOptions) {
    this.tenantId = tenantId
    this.#clientId = clientId
    this.#clientSecret = clientSecret
    this.#token = token
    this.#clock = clock
    this.#key = hash('sha256', `tokens of ${tenantId} ${clientId} ${clientSecret}`, 'buffer')
  }

  /** OpenID Connect Discovery: MSAL asks for it first. */
  discover(origin: string, tenantId: string): Reply {
    if (tenantId !== this.tenantId) return noTenant
    const base = `${origin}/${tenantId}`
    return {
      status: 200,
      body: {
        issuer: `${base}/v2.0`,
        authorization_endpoint: `${base}/oauth2/v2.0/authorize`,
        token_endpoint: `${base}/oauth2/v2.0/token`,
        jwks_uri: `${base}/discovery/v2.0/keys`,
        response_types_supported: ['token'],
        subject_types_supported: ['pairwise'],
        id_token_signing_alg_values_supported: ['RS256'],
      },
    }
  }

  /** The client credentials grant of OAuth 2.0. An assertion is good if it is the secret: nobody else vouches here. */
  grant(origin: string, tenantId: string, form: URLSearchParams): Reply {
    if (tenantId !== this.tenantId) return noTenant
    if (form.get('grant_type') !== 'client_credentials') {
      return refusal(400, 'unsupported_grant_type', 70003, 'only client_credentials is supported')
    }
    if (form.get('client_id') !== this.#clientId) {
      return refusal(400, 'unauthorized_client', 700016, 'there is no such application')
    }
    if (!isSame(form.get('client_secret') ?? form.get('client_assertion'), this.#clientSecret)) {
      return refusal(401, 'invalid_client', 7000215, 'the client secret is wrong')
    }
    // MSAL adds scopes of its own.
    if (!form.get('scope')?.split(' ').includes(`${resource}/.default`)) {
      return refusal(400, 'invalid_resource', 500011, `the scope is not ${resource}/.default`)
    }
    return {
      status: 200,
      body: {
        token_type: 'Bearer',
        expires_in: lifeSeconds,
        ext_expires_in: lifeSeconds,
        access_token: this.#issue(`${origin}/${tenantId}/v2.0`),
      },
    }
  }

  /** Whether this `Authorization` opens the vault. */
  admits(authorization: string | undefined): boolean {
    const [, given] = /^bearer ([\x21-\x7e]+)$/i.exec(authorization ?? '') ?? []
    if (given === undefined) return false
    return (this.#token !== undefined && isSame(given, this.#token)) || this.#isIssued(given)
  }

  /** What a vault says to who has no token, or one that is of no use. */
  challenge(origin: string): string {
    return `Bearer authorization="${origin}/${this.tenantId}", resource="${resource}"`
  }

  /** A JSON Web Token, RFC 7519. */
  #issue(iss: string): string {
    const iat = Math.floor(this.#clock() / 1000)
    const exp = iat + lifeSeconds
    const claims = {
      aud: resource,
      iss,
      iat,
      nbf: iat,
      exp,
      tid: this.tenantId,
      appid: this.#clientId,
    }
    const signed = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode(claims)}`
    return `${signed}.${this.#sign(signed)}`
  }

  #isIssued(token: string): boolean {
    const dot = token.lastIndexOf('.')
    const signed = token.slice(0, Math.max(0, dot))
    if (!isSame(token.slice(dot + 1), this.#sign(signed))) return false
    // Signed by this key, so it is what `issue` wrote.
    const [, claims = ''] = signed.split('.')
    const { exp } = JSON.parse(Buffer.from(claims, 'base64url').toString()) as { exp: number }
    return this.#clock() < exp * 1000
  }

  #sign(text: string): string {
    return createHmac('sha256', this.#key).update(text).digest('base64url')
  }
}

const noTenant = refusal(400, 'invalid_request', 90002, 'there is no such tenant')

/** With the number by which the failures of Entra ID are known, `AADSTS7000215`. */
function refusal(status: number, error: string, code: number, text: string): Reply {
  const error_description = `AADSTS${code}: ${text}`
  return { status, body: { error, error_description, error_codes: [code] } }
}

function encode(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url')
}

/** In a time that says nothing: digests are of one length. */
function isSame(given: string | null, known: string): boolean {
  const digest = (text: string) => hash('sha256', text, 'buffer')
  return timingSafeEqual(digest(given ?? ''), digest(known))
}
