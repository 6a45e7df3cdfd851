import { Hono } from 'hono'
import type { Logger } from '../core/index.ts'
import type { Kafka } from '../kafka/index.ts'
import type { MongoDB } from '../mongodb/index.ts'
import type { Redis } from '../redis/index.ts'
import type { Consistency, ScyllaDB } from '../scylladb/index.ts'
import type { Sql } from '../sql/index.ts'
import { Entrance, notFound } from './entrance.ts'
import type { Face, Limits } from './face.ts'
import { kafkaFaces } from './kafka.ts'
import type { KeyVaultEmulator } from './keyvault.ts'
import { mongodbFace } from './mongodb.ts'
import { mysqlFace } from './mysql.ts'
import { redisFace } from './redis.ts'
import { scylladbFace } from './scylladb.ts'
import { sqlFace } from './sql.ts'

export type { Limits } from './face.ts'
export {
  createKeyVaultEmulator,
  type KeyVaultEmulator,
  type KeyVaultEmulatorOptions,
} from './keyvault.ts'
export {
  type KeyVaultServer,
  type ServeKeyVaultOptions,
  serveKeyVault,
} from './keyvault-server.ts'

export interface GatewayOptions {
  /** What clients send as `Authorization: Bearer`. Printable ASCII without spaces, as hard to guess as a key. */
  readonly token: string
  /** A second token, which only reads. */
  readonly readOnlyToken?: string | undefined
  /** Serves this client at `/redis`, by the Upstash Redis REST protocol. */
  readonly redis?: Redis | undefined
  /** Serves this client at `/kafka`, by Kafka REST v2 and by the Upstash Kafka REST protocol. */
  readonly kafka?: Kafka | undefined
  /** Serves this vault at `/keyvault`. Who may enter there, the emulator says itself. */
  readonly keyvault?: KeyVaultEmulator | undefined
  /** Serves this client at `/mongodb`, by the Data API of MongoDB Atlas. Which operators pass, its `operators` say. */
  readonly mongodb?: MongoDB | undefined
  /** The databases that are served. Default: all but `admin`, `config` and `local`. */
  readonly mongodbDatabases?: readonly string[] | undefined
  /** Serves this client of MySQL at `/mysql`, and at the root, by the protocol of PlanetScale's client. */
  readonly mysql?: Sql | undefined
  /** Serves this client at `/sqlserver`, by a protocol of dualport's own. It is of SQL Server, or of any other database. */
  readonly sqlserver?: Sql | undefined
  /** Serves this client at `/scylladb`, by a protocol of dualport's own. */
  readonly scylladb?: ScyllaDB | undefined
  /**
   * The keyspaces that are served, and then by SELECT, INSERT, UPDATE and DELETE only. Default: all statements, and
   * all keyspaces but those of the server itself, of which `system_schema` and `system.local` are served.
   */
  readonly scylladbKeyspaces?: readonly string[] | undefined
  /** The consistency levels that are served, the serial ones among them. Default: all. */
  readonly scylladbConsistencies?: readonly Consistency[] | undefined
  readonly limits?: Partial<Limits> | undefined
  /** For requests that the gateway turns down; the clients log their own failures. Default: JSON lines. `false` for none. */
  readonly logger?: Logger | false | undefined
}

export interface Gateway {
  /** Answers one request. Never rejects. The work stops when the request's signal fires. */
  fetch(request: Request): Response | Promise<Response>
  /** Ends what has no end of its own and would hold a server open: event streams; Kafka consumers leave their groups. */
  close(): void
}

/**
 * The other end of dualport's HTTP adapters: serves the clients it is given, each by the protocol of its
 * backend under a path of its own. What is not given is not there (404). The clients remain the caller's
 * to close.
 * @throws InfraError `GATEWAY_CONFIG` for a token, a limit or a consistency level that cannot be.
 */
export function createGateway(options: GatewayOptions): Gateway {
  const { redis, kafka, keyvault, mongodb, mongodbDatabases, mysql, sqlserver, scylladb } = options
  const faces: Face[] = []
  if (redis !== undefined) faces.push(redisFace(redis))
  if (kafka !== undefined) faces.push(...kafkaFaces(kafka))
  if (mongodb !== undefined) faces.push(mongodbFace(mongodb, mongodbDatabases))
  if (mysql !== undefined) faces.push(mysqlFace(mysql))
  if (sqlserver !== undefined) faces.push(sqlFace(sqlserver))
  if (scylladb !== undefined) {
    const { scylladbKeyspaces: keyspaces, scylladbConsistencies: consistencies } = options
    faces.push(scylladbFace(scylladb, { keyspaces, consistencies }))
  }

  const entrance = new Entrance(options)
  const app = new Hono({ strict: false })
  for (const face of faces) {
    for (const [path, methods] of Object.entries(face.routes)) {
      app.all(`/${face.name}${path}`, (c) => entrance.serve(face, methods, c.req.raw))
    }
    for (const [path, methods] of Object.entries(face.rootRoutes ?? {})) {
      app.all(path, (c) => entrance.serve(face, methods, c.req.raw))
    }
  }
  if (keyvault !== undefined) app.all('/keyvault/*', (c) => keyvault.fetch(c.req.raw))
  app.notFound(notFound)
  return {
    fetch: (request) => app.fetch(request),
    close() {
      entrance.close()
      for (const face of faces) face.close?.()
    },
  }
}
