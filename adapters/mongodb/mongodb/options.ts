export interface MongodbOptions {
  /**
   * `mongodb://user:password@host:27017/database?replicaSet=rs0`, or `mongodb+srv://`. Its parameters set
   * whatever the driver knows; those that are options here too give way to them.
   */
  url?: string | undefined
  /** Default `127.0.0.1`. Not beside `url`. */
  host?: string | undefined
  /** Default 27017. Not beside `url`. */
  port?: number | undefined
  /** Default: the one in `url`, or `test`. */
  database?: string | undefined
  username?: string | undefined
  /** A function is asked when the client connects for the first time, and again after the server has refused its answer. */
  password?: string | (() => string | Promise<string>) | undefined
  tls?: boolean | undefined
  /** Connections to each server. Default 5. */
  maxPoolSize?: number | undefined
  /** Kept open without use. Default 0. */
  minPoolSize?: number | undefined
  /** A connection unused for longer is replaced before use. Milliseconds, default 25,000. */
  maxIdleMs?: number | undefined
  /** For a free connection. Milliseconds; default: the deadline alone ends it. */
  waitQueueTimeoutMs?: number | undefined
  /** From nothing to a connection that answers. Milliseconds, default 5000. */
  connectTimeoutMs?: number | undefined
  /** For a server that can take the operation: a new primary, say. Milliseconds, default 5000. */
  serverSelectionTimeoutMs?: number | undefined
}
