import { DriverFailure } from '../../../src/core/index.ts'
import type { Document, MongoCapabilities } from '../../../src/mongodb/index.ts'

export type DialectName = 'dualport' | 'atlas' | 'ferretdb'

export interface Dialect {
  readonly capabilities: Omit<MongoCapabilities, 'cancel' | 'maxDocumentBytes'>
  /**
   * What is sent of an operation's fields.
   * @throws DriverFailure for what the server lacks, and would pass over in silence
   */
  request(name: string, fields: Document): Document
  /** The values are Extended JSON in either case. */
  readonly contentType: 'application/ejson' | 'application/json'
  /** What is asked to learn whether it answers. */
  readonly ping: { readonly action: string; readonly request: object }
}

/**
 * The actions of the protocol, and what each takes.
 * https://www.mongodb.com/docs/atlas/app-services/data-api/openapi/
 */
const standard: Readonly<Record<string, readonly string[]>> = {
  findOne: ['filter', 'projection'],
  find: ['filter', 'projection', 'sort', 'limit', 'skip'],
  aggregate: ['pipeline'],
  insertOne: ['document'],
  insertMany: ['documents'],
  updateOne: ['filter', 'update', 'upsert'],
  updateMany: ['filter', 'update', 'upsert'],
  deleteOne: ['filter'],
  deleteMany: ['filter'],
}

function standardRequest(name: string, fields: Document): Document {
  const known = standard[name]
  if (known === undefined) throw new DriverFailure({ kind: 'unsupported' })
  const { database, collection, ...rest } = fields
  const request: Document = { database, collection }
  for (const [field, value] of Object.entries(rest)) {
    if (known.includes(field)) request[field] = value
    else if (!isImplied(field, value)) {
      const detail = `the server has no ${field} for ${name}`
      throw new DriverFailure({ kind: 'unsupported', detail })
    }
  }
  return request
}

/** An insert stops at the first document that fails, and everything comes in one page. */
function isImplied(field: string, value: unknown): boolean {
  return (field === 'ordered' && value === true) || field === 'batchSize'
}

/** There is no ping in the protocol: this reads one document that is not there. */
const readNothing = {
  action: 'findOne',
  request: { collection: 'dualport.ping', filter: { _id: null }, projection: { _id: 1 } },
}

export const dialects: Readonly<Record<DialectName, Dialect>> = {
  dualport: {
    capabilities: {
      transactions: false,
      cursors: true,
      indexes: true,
      extended: true,
      exactTypes: true,
      writeErrors: true,
    },
    request: (_, fields) => fields,
    contentType: 'application/ejson',
    ping: { action: 'ping', request: {} },
  },
  atlas: {
    capabilities: {
      transactions: false,
      cursors: false,
      indexes: false,
      extended: false,
      exactTypes: true,
      writeErrors: true,
    },
    request: standardRequest,
    contentType: 'application/ejson',
    ping: readNothing,
  },
  // It takes no other content type, answers in plain JSON, gives a cursor's first batch and no more, and looks
  // at nothing but `ok`.
  ferretdb: {
    capabilities: {
      transactions: false,
      cursors: false,
      indexes: false,
      extended: false,
      exactTypes: false,
      writeErrors: false,
    },
    request: standardRequest,
    contentType: 'application/json',
    ping: readNothing,
  },
}
