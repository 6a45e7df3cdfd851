import { isInfraError } from '../core/index.ts'
import { writeValue } from '../core/values.ts'
import type { CqlReply, ScyllaDB } from '../scylladb/index.ts'
import { type Call, type Face, type Methods, Refusal } from './face.ts'
import { type Body, bodyOf, failureOf } from './json.ts'
import { sealed, unsealed } from './scylladb-paging.ts'
import { Permissions, type Permitted } from './scylladb-permissions.ts'
import {
  fields,
  pageSizeOf,
  settingsOf,
  statementOf,
  statementsOf,
  typeOf,
} from './scylladb-requests.ts'

/**
 * CQL over HTTP by a protocol of dualport's own, which README.md describes. Nothing reaches the cluster but through
 * the portable client, which checks each text and each value again.
 * @throws InfraError `GATEWAY_CONFIG`
 */
export function scylladbFace(client: ScyllaDB, permitted: Permitted): Face {
  const server: Server = { client, permissions: new Permissions(permitted) }
  const post = (name: keyof typeof requests): Methods => ({
    async POST(call) {
      try {
        const body = await bodyOf(call, fields[name])
        checkKeyspace(client, body)
        const reply = await requests[name](server, body, call)
        return { type: 'application/json', body: JSON.stringify(reply) }
      } catch (error) {
        // The caller's client is not closed, and another gateway may be there.
        if (!client.closed || !isInfraError(error, 'closed')) throw error
        throw new Refusal('unavailable', 'the gateway is closing')
      }
    },
  })
  return {
    name: 'scylladb',
    routes: {
      '/execute': post('execute'),
      '/batch': post('batch'),
      '/ping': post('ping'),
      '/hosts': post('hosts'),
    },
    failure: failureOf('scylladb'),
  }
}

interface Server {
  readonly client: ScyllaDB
  readonly permissions: Permissions
}

const requests = {
  async execute({ client, permissions }: Server, body: Body, call: Call): Promise<object> {
    const { keyspace } = client
    const statement = statementOf(body)
    permissions.checkStatement(statement.cql, keyspace, call)
    permissions.checkLevels(body)
    const { pagingState: given } = body
    const pagingState = given === undefined ? undefined : unsealed(given, statement, keyspace, call)
    const pageSize = pageSizeOf(body, call.limits)
    const options = { ...settingsOf(body), pageSize, ...call.options }
    const reply = await client.reply(statement.cql, statement.parameters, options, pagingState)
    const { pagingState: next } = reply
    return {
      ...written(reply),
      ...(next !== undefined && { pagingState: sealed(next, statement, keyspace, call) }),
    }
  },

  async batch({ client, permissions }: Server, body: Body, call: Call): Promise<object> {
    if (call.access === 'read') throw new Refusal('forbidden', 'this token only reads')
    const statements = statementsOf(body, call)
    for (const { cql } of statements) permissions.checkStatement(cql, client.keyspace, call)
    permissions.checkLevels(body)
    const options = { ...settingsOf(body), type: typeOf(body), ...call.options }
    return written(await client.batchReply(statements, options))
  },

  async ping({ client }: Server, _: Body, call: Call): Promise<object> {
    await client.health(call.options)
    return {}
  },

  hosts: ({ client }: Server, _: Body, call: Call): Promise<object> => client.hosts(call.options),
}

/** @throws Refusal for who expects to be in another keyspace than the client is */
function checkKeyspace({ keyspace }: ScyllaDB, body: Body): void {
  if (body.keyspace === undefined || body.keyspace === keyspace) return
  throw new Refusal(
    'not-found',
    'the gateway is in another keyspace: name the keyspace with the table',
  )
}

function written({ columns, rows, warnings }: CqlReply): object {
  return { columns, rows: writeValue(rows), warnings }
}
