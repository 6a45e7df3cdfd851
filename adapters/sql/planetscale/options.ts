import type { Secret } from '../../../src/core/http.ts'

export interface PlanetscaleOptions {
  /**
   * `https://` (or `http://`), with the path if the gateway is mounted below one; or `mysql://`, as PlanetScale
   * writes it, whose database is not looked at. It may have the name and the password.
   */
  url?: string | undefined
  /** In place of `url`: `aws.connect.psdb.cloud`. */
  host?: string | undefined
  /** Any, for our gateway. */
  username?: string | undefined
  /** For our gateway, its token. A function is asked before the first request, and once more when it was refused. */
  password?: Secret | undefined
  /** For service bindings, private networks and tests. Default: the runtime's own. */
  fetch?: typeof fetch | undefined
}

const known = ['url', 'host', 'username', 'password', 'fetch']

export interface Target {
  readonly url: string
  readonly username: string
  readonly password: Secret
}

/** @throws what `refuse` makes of malformed options */
export function targetOf(options: PlanetscaleOptions, refuse: (detail: string) => Error): Target {
  if (Object.keys(options).some((name) => !known.includes(name))) {
    throw refuse(`there is no option of this name; there are ${known.join(', ')}`)
  }
  const { url, host } = options
  if ((url === undefined) === (host === undefined)) throw refuse('there is not one of url and host')
  if (host !== undefined && !/^[\w.-]+(:\d{1,5})?$/.test(host)) throw refuse('host is not one')
  const given = url ?? `https://${host}`
  if (!/^(mysql|https?):\/\//i.test(given) || !URL.canParse(given)) {
    throw refuse('url is not a URL that begins with https://, http:// or mysql://')
  }
  const parsed = new URL(given)
  const { username = decoded(parsed.username), password = decoded(parsed.password) } = options
  if (username === undefined || password === undefined) {
    throw refuse('the credentials in url are not percent-encoded UTF-8')
  }
  if (username === '' || password === '') throw refuse('username or password is missing')
  // What is no address is left in it, to be refused.
  const { protocol, host: address, pathname, search, hash } = parsed
  return {
    url:
      protocol === 'mysql:'
        ? `https://${address}`
        : `${protocol}//${address}${pathname}${search}${hash}`,
    username,
    password,
  }
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}
