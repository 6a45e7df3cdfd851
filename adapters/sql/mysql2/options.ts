export interface Mysql2Options {
  /**
   * `mysql://user:password@host:3306/database`. It may say `?ssl=true`, `?ssl=false`, `?ssl={"rejectUnauthorized":false}`,
   * `?ssl-mode=REQUIRED` or `?sslaccept=strict`; the option `tls` goes first.
   */
  url?: string | undefined
  /** Default `127.0.0.1`. Not beside `url`. */
  host?: string | undefined
  /** Default 3306. Not beside `url`. */
  port?: number | undefined
  /** Default: the one in `url`, or none. */
  database?: string | undefined
  /** Default: the one in `url`, or `root` without a password. */
  username?: string | undefined
  /** A function is asked before the first connection, and again once the server has refused its answer. */
  password?: string | (() => string | Promise<string>) | undefined
  /**
   * Default: `true`, that is encrypted and with the server's certificate verified, but `false` for a server on the
   * loopback interface. A certificate is for a name: for an address say which, by `servername`.
   */
  tls?: boolean | Mysql2Tls | undefined
  /** Default 5. Stopping statements takes up to two more. */
  maxPoolSize?: number | undefined
  /** A connection unused for longer is replaced before use. Milliseconds, default 25,000. */
  maxIdleMs?: number | undefined
  /** From nothing to a connection that is ready for statements. Milliseconds, default 5000. */
  connectTimeoutMs?: number | undefined
  /** Statements that each connection keeps prepared at the server. Default 50. */
  maxPreparedStatements?: number | undefined
  /**
   * A Worker's binding, the only way from workerd: `mysql2({ hyperdrive: env.HYPERDRIVE })`. It has address and
   * credentials. Make the client within a request, and close it at its end: `ctx.waitUntil(sql.close())`.
   */
  hyperdrive?: HyperdriveBinding | undefined
}

/** As `node:tls` has them. */
export interface Mysql2Tls {
  readonly ca?: string | Uint8Array | readonly (string | Uint8Array)[] | undefined
  readonly cert?: string | Uint8Array | undefined
  readonly key?: string | Uint8Array | undefined
  readonly passphrase?: string | undefined
  /** The name in the server's certificate. Default: the host. */
  readonly servername?: string | undefined
  /** `false`: encrypted, but nobody knows with whom. */
  readonly rejectUnauthorized?: boolean | undefined
}

/**
 * Proven in Miniflare, whose Hyperdrive passes everything on. Cloudflare's own lists prepared statements of MySQL's
 * protocol, which this adapter uses for every value, as unsupported: try it there before you rely on it.
 * https://developers.cloudflare.com/hyperdrive/reference/supported-databases-and-features/
 */
export interface HyperdriveBinding {
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: string
  readonly database: string
}
