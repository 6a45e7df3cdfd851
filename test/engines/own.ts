import { randomUUID } from 'node:crypto'
import { Client } from 'cassandra-driver'
import { createConnection } from 'mysql2/promise'
import { afterAll } from 'vitest'
import type { CassandraServer } from './cassandra.ts'
import type { MysqlServer } from './mariadb.ts'

/** What `engine` gives. Of one that is missing, nothing is made. */
type Given<T> = T & { readonly missing?: string }

/** A database of this test file's own, empty, and dropped after the last test. */
export async function ownDatabase(
  server: Given<MysqlServer>,
): Promise<{ readonly name: string; readonly url: string }> {
  const name = uniqueName()
  if (server.missing !== undefined) return { name, url: '' }
  const run = async (statement: string) => {
    const connection = await createConnection(server.url)
    try {
      await connection.query(statement)
    } finally {
      await connection.end()
    }
  }
  await run(`CREATE DATABASE ${name}`)
  afterAll(() => run(`DROP DATABASE ${name}`))
  const url = new URL(server.url)
  url.pathname = name
  return { name, url: url.href }
}

/** The name of a keyspace of this test file's own, empty, and dropped after the last test. */
export async function ownKeyspace(server: Given<CassandraServer>): Promise<string> {
  const name = uniqueName()
  if (server.missing !== undefined) return name
  const run = async (statement: string) => {
    const { hosts, localDataCenter } = server
    const client = new Client({ contactPoints: [...hosts], localDataCenter })
    try {
      await client.execute(statement)
    } finally {
      await client.shutdown()
    }
  }
  // Not NetworkTopologyStrategy: with that, ScyllaDB's keyspaces have tablets and no counters.
  const replication = "{ 'class': 'SimpleStrategy', 'replication_factor': 1 }"
  await run(`CREATE KEYSPACE ${name} WITH replication = ${replication}`)
  afterAll(() => run(`DROP KEYSPACE ${name}`))
  return name
}

/** Such as any engine takes without quotes: Cassandra takes 48 characters. */
function uniqueName(): string {
  return `dualport_${randomUUID().replaceAll('-', '')}`
}
