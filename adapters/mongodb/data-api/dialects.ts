import type { MongoCapabilities, OperationName } from '../../../src/mongodb/index.ts'

export type DialectName = 'dualport' | 'atlas' | 'ferretdb'

export interface Dialect {
  readonly capabilities: Omit<MongoCapabilities, 'cancel' | 'maxDocumentBytes'>
  /** Operations with one reply that the server has. */
  readonly actions: ReadonlySet<OperationName>
  /** What is asked to learn whether it answers. */
  readonly ping: { readonly action: string; readonly request: object }
}

/** https://www.mongodb.com/docs/atlas/app-services/data-api/openapi/ */
const standard: OperationName[] = [
  'findOne',
  'insertOne',
  'insertMany',
  'updateOne',
  'updateMany',
  'deleteOne',
  'deleteMany',
]

const extended: OperationName[] = [
  'replaceOne',
  'findOneAndUpdate',
  'findOneAndReplace',
  'findOneAndDelete',
  'countDocuments',
  'estimatedDocumentCount',
  'distinct',
  'bulkWrite',
  'createIndex',
  'listIndexes',
]

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
    actions: new Set([...standard, ...extended]),
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
    actions: new Set(standard),
    ping: readNothing,
  },
  // It answers in plain JSON, gives a cursor's first batch and no more, and looks at nothing but `ok`.
  ferretdb: {
    capabilities: {
      transactions: false,
      cursors: false,
      indexes: false,
      extended: false,
      exactTypes: false,
      writeErrors: false,
    },
    actions: new Set(standard),
    ping: readNothing,
  },
}
