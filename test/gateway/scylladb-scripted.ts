import type { Logger } from '../../src/core/index.ts'
import { createGateway, type GatewayOptions } from '../../src/gateway/index.ts'
import {
  type CqlBatch,
  type CqlReply,
  type CqlRequest,
  ScyllaDB,
  type ScyllaDriver,
} from '../../src/scylladb/index.ts'

export const token = 'full-access-token'
export const readOnlyToken = 'read-only-token'

export const empty: CqlReply = { columns: [], rows: [], pagingState: undefined, warnings: [] }

interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly body: Record<string, unknown>
  readonly text: string
}

/** What the gateway lets through, and how it takes replies: the engine is a function. */
export function scriptedGateway(
  reply: (request: CqlRequest | CqlBatch) => CqlReply | Promise<CqlReply> = () => empty,
  { keyspace, ...options }: Partial<GatewayOptions> & { keyspace?: string } = {},
) {
  const sent: (CqlRequest | CqlBatch)[] = []
  const log: object[] = []
  const write = (record: object) => void log.push(record)
  const logger: Logger = { debug: write, info: write, warn: write, error: write }
  const run: ScyllaDriver['execute'] = async (request, attempt) => {
    attempt.sent = true
    sent.push(request)
    return reply(request)
  }
  const driver: ScyllaDriver = {
    adapter: 'scripted',
    resource: undefined,
    keyspace,
    capabilities: { cancel: false, hosts: true },
    ping: async () => {},
    hosts: async () => ({ up: 2, total: 3 }),
    execute: run,
    batch: (batch, attempt) => run(batch as never, attempt),
    classify: () => ({ kind: 'internal' }),
    close: async () => {},
    native: async () => undefined,
  }
  const client = new ScyllaDB(driver, { retry: false, breaker: false, logger })
  const gateway = createGateway({ token, readOnlyToken, scylladb: client, logger, ...options })
  return {
    client,
    gateway,
    /** What has reached the engine. */
    sent,
    log,
    async post(path: string, body: unknown, as = token): Promise<Answer> {
      const response = await gateway.fetch(
        new Request(`http://gateway/scylladb/${path}`, {
          method: 'POST',
          headers: { authorization: `Bearer ${as}` },
          body: typeof body === 'string' ? body : JSON.stringify(body),
        }),
      )
      const { status, headers } = response
      const text = await response.text()
      return { status, headers, text, body: JSON.parse(text) }
    },
  }
}
