import type { EndpointOptions, Secret } from '../../../src/core/http.ts'
import type { Dialect, SqlCapabilities } from '../../../src/sql/index.ts'

/** `url` is the gateway's with its path: `https://edge.example/sqlserver`. */
export interface GatewayOptions extends EndpointOptions {
  /** Sent as `Authorization: Bearer`. */
  token?: Secret | undefined
  /** Which database the gateway serves there. `ping` fails if it is another one. Default `sqlserver`. */
  dialect?: Dialect | undefined
}

/**
 * They must be known without a request, so they are those of the adapter that the gateway has for the database.
 * An insert is smaller than over TCP: the gateway takes a body of 48 MB.
 */
export const capabilitiesOf: Readonly<Record<Dialect, SqlCapabilities>> = {
  sqlserver: {
    streaming: true,
    procedures: true,
    resultSets: true,
    outputParameters: true,
    cancel: true,
    isolation: [
      'read uncommitted',
      'read committed',
      'repeatable read',
      'serializable',
      'snapshot',
    ],
    // 2100, of which the text and the declarations are two.
    maxParameters: 2098,
    maxInsertValues: 100_000,
  },
  mysql: {
    streaming: true,
    procedures: true,
    resultSets: true,
    outputParameters: false,
    cancel: true,
    isolation: ['read uncommitted', 'read committed', 'repeatable read', 'serializable'],
    maxParameters: 65_535,
    maxInsertValues: 65_535,
  },
  sqlite: {
    streaming: true,
    procedures: false,
    resultSets: false,
    outputParameters: false,
    cancel: false,
    isolation: [
      'read uncommitted',
      'read committed',
      'repeatable read',
      'serializable',
      'snapshot',
    ],
    maxParameters: 32_766,
    maxInsertValues: 100_000,
  },
}
