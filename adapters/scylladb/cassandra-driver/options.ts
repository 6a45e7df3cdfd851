export interface TlsOptions {
  /** Of whoever signed the servers' certificates, in PEM. Default: those that Node trusts. */
  readonly ca?: string | undefined
  /** The client's own certificate and its key, in PEM. */
  readonly cert?: string | undefined
  readonly key?: string | undefined
  /** The name that the servers' certificates are for. Default: the host's own name or address. */
  readonly servername?: string | undefined
  /** `false` takes any certificate: nobody knows who reads along. Default `true`. */
  readonly rejectUnauthorized?: boolean | undefined
}

export interface CassandraDriverOptions {
  /**
   * `cql://user:password@host,host:9042/keyspace?localDataCenter=dc1&tls=true`. What is an option here gives way
   * to the option.
   */
  url?: string | undefined
  /** Where to find the cluster: `['10.0.0.1', '10.0.0.2:9142', '[2001:db8::1]:9042']`. Default `127.0.0.1`. Not beside `url`. */
  hosts?: readonly string[] | undefined
  /** Of all hosts that do not say. Default 9042. */
  port?: number | undefined
  /** In which names without a keyspace are looked up. Default: none. */
  keyspace?: string | undefined
  /**
   * The data centre that is near: others are not asked. Required, unless all of `hosts` are addresses of one data
   * centre, or there is only one: then it is learned from them, and the log says so.
   */
  localDataCenter?: string | undefined
  username?: string | undefined
  /** A function is asked for each connection. */
  password?: string | (() => string | Promise<string>) | undefined
  /** Default `false`. With `true`, the servers' certificates are verified. */
  tls?: boolean | TlsOptions | undefined
  /**
   * - `serverless`: for what is started often and frozen between requests. It connects to one host before the first
   *   request, others follow; it reads no schema, so requests go to any host of the data centre, which costs a hop
   *   where it has no replica; it sends no heartbeats, and all connections are replaced once they were idle for
   *   longer than `maxIdleMs`, or at the first request that gets no answer.
   * - `server`: for what runs for long. It connects to all hosts of the data centre before the first request and
   *   reads the schema, so requests go to a replica; heartbeats find connections that are dead.
   *
   * Default `serverless`.
   */
  profile?: 'serverless' | 'server' | undefined
  /** Of `serverless`: milliseconds, default 25,000. */
  maxIdleMs?: number | undefined
  /** From nothing to a connection to one host. Milliseconds, default 5000. */
  connectTimeoutMs?: number | undefined
}
