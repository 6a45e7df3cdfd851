import { afterAll } from 'vitest'
import { type MssqlOptions, mssql } from '../../adapters/sql/mssql.ts'
import { type ClientOptions, type InfraError, isInfraError } from '../../src/core/index.ts'
import { Sql } from '../../src/sql/index.ts'
import { startTdsServer, type TdsOptions, type TdsServer } from '../engines/tds.ts'

/** A stand-in of this file's own, stopped after the last test; what went wrong in it fails the file. */
export async function ownTdsServer(options?: TdsOptions): Promise<TdsServer> {
  const server = await startTdsServer(options)
  afterAll(async () => {
    await server.stop()
    if (server.failures.length > 0) throw new AggregateError(server.failures, 'the TDS server')
  })
  return server
}

/** A client without retries, so that a test sees what the adapter does. */
export function client(options: MssqlOptions, settings: ClientOptions = {}): Sql {
  return new Sql(mssql(options), { logger: false, retry: false, breaker: false, ...settings })
}

export async function failure(work: Promise<unknown>): Promise<InfraError> {
  const error = await work.then(
    () => undefined,
    (error: unknown) => error,
  )
  if (!isInfraError(error)) throw error ?? new Error('it succeeded')
  return error
}
