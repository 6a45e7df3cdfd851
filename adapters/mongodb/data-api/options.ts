import type { EndpointOptions, Secret } from '../../../src/core/http.ts'
import type { DialectName } from './dialects.ts'

export interface DataApiOptions extends EndpointOptions {
  /** Sent as `Authorization: Bearer`. */
  token?: Secret | undefined
  /** Sent as the header `apiKey`, as Atlas wanted it. */
  apiKey?: string | undefined
  /** With `password`, sent as `Authorization: Basic`, as FerretDB wants it. */
  username?: string | undefined
  password?: Secret | undefined
  /** What the server calls its cluster. Default `default`; dualport's gateway does not look at it. */
  dataSource?: string | undefined
  /** Default `test`. */
  database?: string | undefined
  /**
   * Which server it is: `dualport` for our gateway (the default), `atlas` for one that speaks the protocol as
   * Atlas had it, `ferretdb` for FerretDB 2, whose replies lose types. What each cannot do is in `capabilities`.
   */
  dialect?: DialectName | undefined
  /** The largest document that the server takes, in bytes of BSON. Default 16 MB. */
  maxDocumentBytes?: number | undefined
}
