import library from 'mssql'

/** What the benchmarks use of mssql, which comes without types. */
interface BarePool {
  connect(): Promise<BarePool>
  request(): BareRequest
  close(): Promise<unknown>
}

interface BareRequest {
  stream: boolean
  input(name: string, type: unknown, value: unknown): BareRequest
  query(text: string): Promise<{ readonly recordset: readonly Record<string, unknown>[] }>
  toReadableStream(): AsyncIterable<unknown>
}

export const { Int, NVarChar } = library as unknown as {
  readonly Int: unknown
  readonly NVarChar: (length: number) => unknown
}

/** A pool of bare mssql, as large as ours. */
export function connected(
  url: string,
  options: { readonly validateConnection?: 'socket' } = {},
): Promise<BarePool> {
  const { hostname, port, pathname, username, password } = new URL(url)
  const pool = new library.ConnectionPool({
    server: hostname,
    port: Number(port),
    user: decodeURIComponent(username),
    password: decodeURIComponent(password),
    database: pathname.slice(1),
    options: { encrypt: false },
    pool: { max: 5, min: 0 },
    ...options,
  }) as unknown as BarePool
  return pool.connect()
}
