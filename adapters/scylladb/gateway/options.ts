import type { EndpointOptions, Secret } from '../../../src/core/http.ts'

/** `url` is the gateway's with its path: `https://edge.example/scylladb`. */
export interface GatewayOptions extends EndpointOptions {
  /** Sent as `Authorization: Bearer`. */
  token?: Secret | undefined
  /**
   * In which names without a keyspace are looked up: that of the gateway's own client, which refuses every request
   * if it is in another one (`SCYLLADB_NOT_FOUND`). Default: whichever that is.
   */
  keyspace?: string | undefined
}
