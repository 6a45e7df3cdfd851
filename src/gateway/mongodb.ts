import { type Ejson, EjsonError, ejsonWith, type Format } from '../mongodb/ejson.ts'
import type { AggregateOptions, Collection, Cursor, Document, MongoDB } from '../mongodb/index.ts'
import { type Answer, type Call, type Face, Refusal } from './face.ts'
import { Held } from './held.ts'
import { type Action, type Fields, type Reply, reads, writes } from './mongodb-actions.ts'
import { failure, MongoRefusal } from './mongodb-failure.ts'
import { Databases } from './mongodb-permissions.ts'

/**
 * The protocol of MongoDB's Atlas Data API, with the operations and the cursors that it lacked.
 * https://www.mongodb.com/docs/api/doc/atlas-data-api-v1/
 */
export function mongodbFace(client: MongoDB, databases?: readonly string[]): Face {
  const cursors = new Held<Cursor<Document>>({
    noun: 'cursor',
    most: ({ cursors }) => cursors,
    idleMs: ({ cursorIdleMs }) => cursorIdleMs,
    end: (cursor) => cursor.close(),
    refuse: (message) => new MongoRefusal('not-found', message, { serverCode: cursorNotFound }),
  })
  const server: Server = { client, cursors, databases: new Databases(databases) }
  const act = { POST: (call: Call) => serve(server, call) }
  return {
    name: 'mongodb',
    tokenHeaders: ['apikey', 'api-key'],
    routes: {
      '/action/:name': act,
      '/endpoint/data/v1/action/:name': act,
      '/app/:app/endpoint/data/v1/action/:name': act,
    },
    failure,
    close: () => cursors.close(),
  }
}

/** The server's number for it. */
const cursorNotFound = 43

interface Server {
  readonly client: MongoDB
  readonly cursors: Held<Cursor<Document>>
  readonly databases: Databases
}

async function serve(server: Server, call: Call): Promise<Answer> {
  const name = call.segments('/mongodb').at(-1) as string
  permit(name, call)
  const ejson = await codec()
  const accept = call.request.headers.get('accept') ?? ''
  const format: Format = /\bapplication\/ejson\b/i.test(accept) ? 'ejson' : 'json'
  const write = (value: unknown) => ejson.write(value, format)
  const body = parsed(await call.body(call.limits.documentBodyBytes), ejson)
  const { fields, documents, ...rest } = await run(server, name, body, call)
  return {
    ...rest,
    type: `application/${format}`,
    body:
      documents === undefined ? write(fields) : await streamed(pieces(documents, fields, write)),
  }
}

/** @throws Refusal */
function permit(name: string, { access }: Call): void {
  if (writes.has(name)) {
    if (access === 'full') return
    throw new Refusal('forbidden', 'this token only reads')
  }
  if (!reads.has(name) && !Object.hasOwn(others, name)) {
    const errorCode = 'ServiceCommandNotFound'
    throw new MongoRefusal('not-found', 'there is no such action', { errorCode })
  }
}

/** `documents` come before `fields` in the reply. */
interface Result extends Reply {
  readonly documents?: AsyncIterable<Document[]>
}

async function run(server: Server, name: string, body: Document, call: Call): Promise<Result> {
  const other = others[name]
  if (other !== undefined) return other(server, body, call)
  const [collection, fields] = target(server, body)
  const action = (reads.get(name) ?? writes.get(name)) as Action
  return action(collection, fields, call)
}

/** What is not about a collection, or has more to give than one reply. */
const others: Readonly<
  Record<string, (server: Server, body: Document, call: Call) => Promise<Result>>
> = {
  async ping({ client }, { writable }, call) {
    await client.health({ ...call.options, writable: writable === true })
    return { fields: { ok: 1, ...(writable === true && { writable }) } }
  },
  find: (server, body, call) => query(server, 'find', body, call),
  aggregate: (server, body, call) => query(server, 'aggregate', body, call),
  async nextPage({ cursors }, body, call) {
    const id = field(body, 'cursor')
    const cursor = cursors.take(id, call)
    let documents: Document[]
    try {
      documents = await cursor.nextBatch(call.options)
    } catch (error) {
      // The page is lost, and a cursor does not go back.
      cursors.remove(id)
      throw error
    }
    if (cursor.exhausted) cursors.remove(id)
    else if (cursors.closed) {
      await cursor.close()
      throw new Refusal('unavailable', 'the gateway is closing')
    }
    return page(documents, cursor.exhausted ? undefined : id, cursors)
  },
  async closeCursor({ cursors }, body, call) {
    await cursors.endBy(field(body, 'cursor'), call)
    return { fields: {} }
  },
}

/** Without `batchSize` everything comes at once, up to a limit: a client of the protocol knows no cursors. */
async function query(
  server: Server,
  name: 'find' | 'aggregate',
  body: Document,
  call: Call,
): Promise<Result> {
  const [collection, { filter, pipeline, ...options }] = target(server, body)
  server.databases.checkPipeline(pipeline, call.access)
  const paged = options.batchSize !== undefined
  const most = call.limits.documents
  const cursor =
    name === 'aggregate'
      ? collection.aggregate(pipeline, options as AggregateOptions)
      : collection.find(filter, {
          ...options,
          limit: paged ? (options.limit as number) : bounded(options.limit, most),
        })
  if (!paged) return { fields: {}, documents: upTo(most, cursor, call) }
  const documents = await cursor.nextBatch(call.options)
  const id = cursor.exhausted ? undefined : await server.cursors.hold(cursor, call)
  return page(documents, id, server.cursors)
}

/** As Atlas had it, 1000 for a find that names none. What is no limit, the client refuses. */
function bounded(limit: unknown = 1000, most: number): number {
  return limit === 0 || (limit as number) > most ? most : (limit as number)
}

async function* upTo(most: number, cursor: Cursor<Document>, call: Call) {
  try {
    for (let left = most; left > 0; ) {
      const page = await cursor.nextBatch(call.options)
      if (page.length === 0) return
      yield page.length > left ? page.slice(0, left) : page
      left -= page.length
    }
  } finally {
    await cursor.close()
  }
}

/** A page, and the ID under which there is more. */
function page(
  documents: Document[],
  cursor: string | undefined,
  cursors: Held<Cursor<Document>>,
): Result {
  async function* whole() {
    let written = false
    try {
      yield documents
      written = true
    } finally {
      // Its client may go in the middle of it: then nobody can read on.
      if (cursor !== undefined) {
        if (written) cursors.release(cursor)
        else await cursors.end(cursor)
      }
    }
  }
  return { fields: { cursor }, documents: whole() }
}

// In ---------------------------------------------------------------------------------------------

let ejson: Ejson | undefined

/** Of bson, which is loaded only where MongoDB is served. */
async function codec(): Promise<Ejson> {
  ejson ??= ejsonWith(await import('bson'), 'Double')
  return ejson
}

const utf8 = new TextDecoder('utf-8', { fatal: true })

/** @throws Refusal */
function parsed(bytes: Uint8Array, ejson: Ejson): Document {
  let body: unknown
  try {
    body = ejson.read(utf8.decode(bytes))
  } catch (error) {
    const why = error instanceof EjsonError ? error.message : 'it is not UTF-8'
    throw new Refusal('invalid', `the body cannot be read: ${why}`)
  }
  const isObject = typeof body === 'object' && body !== null
  if (isObject && Object.getPrototypeOf(body) === Object.prototype) return body as Document
  throw new Refusal('invalid', 'the body is not an object')
}

/** @throws MongoRefusal */
function field(body: Document, name: string): string {
  const value = body[name]
  if (typeof value === 'string') return value
  const errorCode = value === undefined ? 'MissingParameter' : 'InvalidParameter'
  throw new MongoRefusal('invalid', `${name} is not there, or not a text`, { errorCode })
}

/** The collection, and all else that the request says. */
function target({ client, databases }: Server, body: Document): [Collection, Fields] {
  const name = field(body, 'database')
  databases.check(name)
  const collection = client.database(name).collection(field(body, 'collection'))
  const { dataSource, database, collection: _, ...fields } = body
  for (const option of ['signal', 'timeoutMs', 'correlationId']) {
    if (Object.hasOwn(fields, option)) throw new Refusal('invalid', `unknown option ${option}`)
  }
  for (const [option, value] of Object.entries(fields)) {
    // A limit beyond 32 bits. Nothing at this level is data.
    if (typeof value === 'bigint') fields[option] = Number(value)
  }
  return [collection, fields as Fields]
}

// Out --------------------------------------------------------------------------------------------

/** Characters. */
const pieceLength = 65_536

async function* pieces(
  pages: AsyncIterable<Document[]>,
  fields: Document,
  write: (value: unknown) => string,
): AsyncGenerator<string, undefined> {
  let text = '{"documents":['
  let comma = ''
  for await (const page of pages) {
    for (const document of page) {
      text += comma + write(document)
      comma = ','
      if (text.length < pieceLength) continue
      yield text
      text = ''
    }
  }
  const rest = write(fields).slice(1)
  yield `${text}]${rest === '}' ? '' : ','}${rest}`
}

/** As one text if it is short; else as a stream, at the pace of who reads it. What fails early still fails with a status. */
async function streamed(
  texts: AsyncGenerator<string, undefined>,
): Promise<string | ReadableStream<Uint8Array>> {
  const { value: first } = await texts.next()
  const { value: second } = await texts.next()
  if (second === undefined) return first as string
  const ahead = [first, second]
  return new ReadableStream({
    async pull(controller) {
      const text = ahead.shift() ?? (await texts.next()).value
      if (text === undefined) controller.close()
      else controller.enqueue(Buffer.from(text))
    },
    async cancel() {
      await texts.return(undefined)
    },
  })
}
