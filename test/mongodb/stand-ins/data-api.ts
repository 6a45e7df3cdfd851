import { EJSON } from 'bson'
import { type Handler, json, type ReceivedRequest, ScriptedServer } from '../../chaos/http.ts'

type Document = Record<string, unknown>

/** Documents by collection, found by fields that are equal: a protocol needs no more to be tried. */
class Store {
  readonly #collections = new Map<string, Document[]>()

  of(name: unknown): Document[] {
    const documents = this.#collections.get(name as string) ?? []
    this.#collections.set(name as string, documents)
    return documents
  }

  matching({ collection, filter = {} }: Document): Document[] {
    const wanted = Object.entries(filter as Document)
    const equal = (document: Document, [field, value]: [string, unknown]) =>
      EJSON.stringify(document[field]) === EJSON.stringify(value)
    return this.of(collection).filter((document) => wanted.every((one) => equal(document, one)))
  }

  /** False for a document whose `_id` is there already. */
  insert(collection: unknown, document: Document): boolean {
    if (this.matching({ collection, filter: { _id: document._id } }).length > 0) return false
    this.of(collection).push(document)
    return true
  }

  update({ collection, filter, update, upsert }: Document, most: number): Updated {
    const found = this.matching({ collection, filter }).slice(0, most)
    const { $set } = update as { $set: Document }
    for (const document of found) Object.assign(document, $set)
    const result = { matchedCount: found.length, modifiedCount: found.length }
    if (found.length > 0 || upsert !== true) return result
    const document = { ...(filter as Document), ...$set }
    this.insert(collection, document)
    return { ...result, upsertedId: document._id }
  }

  delete(request: Document, most: number) {
    const gone = new Set(this.matching(request).slice(0, most))
    const documents = this.of(request.collection)
    documents.splice(0, documents.length, ...documents.filter((document) => !gone.has(document)))
    return { deletedCount: gone.size }
  }
}

interface Updated {
  readonly matchedCount: number
  readonly modifiedCount: number
  readonly upsertedId?: unknown
}

/** An answer that is not the one asked for. */
class Refusal extends Error {
  readonly handler: Handler
  constructor(handler: Handler) {
    super()
    this.handler = handler
  }
}

abstract class StandIn extends ScriptedServer {
  readonly store = new Store()
  /** What was asked, by its action. */
  readonly bodies: (readonly [action: string, body: Document])[] = []

  constructor() {
    super((request, response) => this.#serve(request, response))
  }

  /** @throws Refusal */
  protected abstract check(request: ReceivedRequest): void
  protected abstract read(action: string, request: ReceivedRequest): Document
  protected abstract act(action: string, body: Document): Handler

  async #serve(...[request, response]: Parameters<Handler>): Promise<void> {
    try {
      this.check(request)
      const action = /^\/action\/(\w+)$/.exec(request.path)?.[1] ?? ''
      const body = this.read(action, request)
      this.bodies.push([action, body])
      await this.act(action, body)(request, response)
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      await error.handler(request, response)
    }
  }
}

const atlasFields: Readonly<Record<string, readonly string[]>> = {
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

/** Atlas' Data API by its OpenAPI document, and strict: what that does not name is an error. */
export class Atlas extends StandIn {
  /** Whose header is `apiKey`, or `Authorization: Bearer`. */
  key = 'key-of-atlas'

  #refusal(status: number, error: string, error_code: string): Refusal {
    return new Refusal(json({ error, error_code, link: 'https://realm.example/logs' }, status))
  }

  protected check({ headers }: ReceivedRequest): void {
    const { apikey, authorization } = headers
    if (apikey === undefined && authorization === undefined) {
      throw this.#refusal(400, 'no authentication methods were specified', 'InvalidParameter')
    }
    if (apikey !== this.key && authorization !== `Bearer ${this.key}`) {
      throw this.#refusal(401, 'invalid session: error finding user', 'InvalidSession')
    }
  }

  protected read(action: string, { headers, body }: ReceivedRequest): Document {
    const fields = atlasFields[action]
    if (fields === undefined) throw this.#refusal(404, 'no such action', 'ServiceCommandNotFound')
    if (headers['content-type'] !== 'application/ejson') {
      throw this.#refusal(400, 'expected EJSON', 'InvalidParameter')
    }
    const parsed = EJSON.parse(body, { relaxed: true, useBigInt64: true } as object) as Document
    const known = ['dataSource', 'database', 'collection', ...fields]
    const unknown = Object.keys(parsed).find((name) => !known.includes(name))
    if (unknown !== undefined) throw this.#refusal(400, `unknown ${unknown}`, 'InvalidParameter')
    for (const name of ['dataSource', 'database', 'collection']) {
      if (typeof parsed[name] !== 'string') throw this.#refusal(400, name, 'MissingParameter')
    }
    // With the types that the text says.
    return EJSON.parse(body, { relaxed: false }) as Document
  }

  protected act(action: string, body: Document): Handler {
    const { store } = this
    const { collection } = body
    switch (action) {
      case 'findOne':
        return this.#reply({ document: store.matching(body)[0] ?? null })
      case 'find': {
        const { skip = 0, limit = 1000 } = body
        const end = Number(skip) + Number(limit)
        return this.#reply({ documents: store.matching(body).slice(Number(skip), end) })
      }
      case 'aggregate':
        return this.#reply({ documents: store.of(collection) })
      case 'insertOne':
        this.#insert(body, body.document as Document)
        return this.#reply({ insertedId: (body.document as Document)._id }, 201)
      case 'insertMany': {
        const documents = body.documents as Document[]
        for (const document of documents) this.#insert(body, document)
        return this.#reply({ insertedIds: documents.map(({ _id }) => _id) }, 201)
      }
      case 'updateOne':
      case 'updateMany':
        return this.#reply(store.update(body, action === 'updateOne' ? 1 : Infinity))
      default:
        return this.#reply(store.delete(body, action === 'deleteOne' ? 1 : Infinity))
    }
  }

  /** @throws Refusal, in the words of the function behind it */
  #insert({ database, collection }: Document, document: Document): void {
    if (this.store.insert(collection, document)) return
    const key = EJSON.stringify(document._id)
    const where = `${database}.${collection} index: _id_ dup key: { _id: ${key} }`
    const error = `Failed to insert: FunctionError: insert: write exception: write errors: [E11000 duplicate key error collection: ${where}]`
    throw this.#refusal(400, error, 'MongoDBError')
  }

  #reply(body: object, status = 200): Handler {
    return ({ headers }, response) => {
      const exact = headers.accept === 'application/ejson'
      response.writeHead(status, { 'content-type': exact ? headers.accept : 'application/json' })
      response.end(EJSON.stringify(body, { relaxed: !exact }))
    }
  }
}

/** FerretDB 2, by the source of its `internal/dataapi`. */
export class Ferretdb extends StandIn {
  readonly username = 'someone'
  readonly password = 'password-of-ferretdb'

  protected check({ headers }: ReceivedRequest): void {
    const { authorization = '' } = headers
    if (!authorization.startsWith('Basic ')) {
      const error = 'no authentication methods were specified'
      throw new Refusal(json({ error, error_code: 'InvalidParameter', link: '' }, 400))
    }
    const expected = Buffer.from(`${this.username}:${this.password}`).toString('base64')
    if (authorization !== `Basic ${expected}`) throw new Refusal(plain(401, 'Unauthorized'))
  }

  /** Of the body's own fields, numbers are JSON's, and what is not known is passed over. */
  protected read(action: string, { headers, body }: ReceivedRequest): Document {
    if (atlasFields[action] === undefined) throw new Refusal(plain(404, '404 page not found'))
    if (!headers['content-type']?.startsWith('application/json')) {
      throw new Refusal(plain(500, 'Content-Type must be set to application/json'))
    }
    const { limit, skip } = JSON.parse(body)
    for (const count of [limit, skip]) {
      if (count !== undefined && typeof count !== 'number') {
        throw new Refusal(plain(500, 'json: cannot unmarshal object into a field of type float32'))
      }
    }
    return EJSON.parse(body, { relaxed: true }) as Document
  }

  protected act(action: string, body: Document): Handler {
    const { store } = this
    const { collection, filter } = body
    if (Object.hasOwn((filter as Document) ?? {}, '$nor')) {
      const error = 'the value of secret is not an array'
      return json({ error, error_code: 'BadValue' }, 500)
    }
    switch (action) {
      case 'findOne':
        return json({ document: store.matching(body)[0] ?? null })
      case 'find': {
        const { skip = 0, limit = Infinity } = body as { skip?: number; limit?: number }
        return json({ documents: store.matching(body).slice(skip, skip + Math.min(limit, 101)) })
      }
      case 'aggregate':
        return json({ documents: store.of(collection).slice(0, 101) })
      case 'insertOne': {
        // It looks at nothing but `ok`.
        const document = body.document as Document
        store.insert(collection, document)
        return json({ insertedId: String(document._id) })
      }
      case 'insertMany': {
        const documents = body.documents as Document[]
        for (const document of documents) if (!store.insert(collection, document)) break
        return json({ insertedIds: documents.map(({ _id }) => String(_id)) })
      }
      case 'updateOne':
      case 'updateMany': {
        const { upsertedId, ...counts } = store.update(body, action === 'updateOne' ? 1 : Infinity)
        return json({
          ...counts,
          ...(upsertedId !== undefined && { upsertedId: String(upsertedId) }),
        })
      }
      default:
        return json(store.delete(body, action === 'deleteOne' ? 1 : Infinity))
    }
  }
}

function plain(status: number, text: string): Handler {
  return (_, response) => response.writeHead(status, { 'content-type': 'text/plain' }).end(text)
}
