import type { ConnectionOptions as TlsOptions } from 'node:tls'

export type Secret = string | (() => string | Promise<string>)

export interface PlatformaticOptions {
  /** Where to begin: `['a:9092', 'b:9092']` or `'a:9092,b:9092'`. The port defaults to 9092. */
  brokers: readonly string[] | string
  /** How brokers name this client in their logs and quotas. Default `dualport`. */
  clientId?: string | undefined
  /** `true`, or options for `tls.connect`. */
  tls?: boolean | TlsOptions | undefined
  /** Functions are asked for every new connection. A token is what MSK's IAM needs. */
  sasl?:
    | {
        mechanism: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512'
        username: Secret
        password: Secret
      }
    | { mechanism: 'OAUTHBEARER'; token: Secret }
    | undefined
  /** From nothing to a connection that answers. Milliseconds, default 5000. */
  connectTimeoutMs?: number | undefined
  /** A producer's connections unused for longer are replaced before use. Milliseconds, default 25,000; `Infinity` for never. */
  maxIdleMs?: number | undefined
  /** The largest batch, and so the largest message, in bytes. Default 1,000,000: what brokers take by default. */
  maxRequestBytes?: number | undefined
}
