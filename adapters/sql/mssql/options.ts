/** A function is asked for each new connection: what it remembers, and for how long, is its own affair. */
export type Secret = string | (() => string | Promise<string>)

export interface MssqlOptions {
  /**
   * `mssql://user:password@host:1433/database?encrypt=strict`, `sqlserver://` in the same form or in that of JDBC
   * (`sqlserver://host:1433;database=app;user=..`), or a connection string of ADO.NET
   * (`Server=tcp:host,1433;Database=app;User Id=..;Password=..`). The options below take precedence over what it
   * says; of its settings, those that mean nothing here are passed over, and unknown ones are an error.
   */
  url?: string | undefined
  /** Default `127.0.0.1`. Not beside `url`. */
  host?: string | undefined
  /** Default 1433. Not beside `url`. */
  port?: number | undefined
  /** Of a named instance, whose port its SQL Server Browser tells. Not beside a port. */
  instanceName?: string | undefined
  /** Default: the login's own. */
  database?: string | undefined
  username?: string | undefined
  password?: Secret | undefined
  /**
   * In place of `username` and `password`: a token of Microsoft Entra ID for `https://database.windows.net/`. A
   * function is asked for each new connection, so that none is opened with one that has expired.
   */
  accessToken?: Secret | undefined
  /** Default true: a server that does not encrypt is refused. `strict` is TDS 8, of SQL Server 2022 and Azure. */
  encrypt?: boolean | 'strict' | undefined
  /** Takes any certificate. Default false. */
  trustServerCertificate?: boolean | undefined
  /** PEM, in place of the certificate authorities that Node.js knows. */
  ca?: string | readonly string[] | undefined
  /** What the server calls this client. Default `dualport`. */
  applicationName?: string | undefined
  /** `ApplicationIntent=ReadOnly`: a secondary may answer. Default false. */
  readOnly?: boolean | undefined
  /** Connections. Default 5. */
  maxPoolSize?: number | undefined
  /** A connection unused for longer is replaced before use. Milliseconds, default 25,000. */
  maxIdleMs?: number | undefined
  /** From nothing to a connection that has logged in. Milliseconds, default 5000. */
  connectTimeoutMs?: number | undefined
}
