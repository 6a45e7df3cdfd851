import { type Handler, type ReceivedRequest, ScriptedServer } from '../../chaos/http.ts'
import { Log, type LogRecord, type Stored } from './log.ts'

export const v2 = 'application/vnd.kafka.v2+json'
export const binary = 'application/vnd.kafka.binary.v2+json'

/** An answer that is not the one asked for. */
export class Refusal extends Error {
  readonly status: number
  readonly body: unknown
  constructor(
    status: number,
    code: number,
    body: unknown = { error_code: code, message: 'secret' },
  ) {
    super()
    this.status = status
    this.body = body
  }
}

export interface Reply {
  readonly status?: number
  readonly type?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: unknown
}

export interface Instance {
  readonly group: string
  readonly name: string
  readonly reset: string
  readonly autoCommit: boolean
  subscribed: boolean
  /** The first poll after joining finds a group that is still forming. */
  joined: boolean
}

type Body = Record<string, unknown>
type Item = Record<string, unknown>

/** What the servers do differently. None of it is taken from the adapter: that would prove nothing. */
export interface Behaviour {
  root(): Reply
  /** Content types, `Accept`, an empty body: throws what the server says to what it does not take. */
  check(request: ReceivedRequest, path: readonly string[]): void
  recordOf(record: Body): { record: LogRecord; partition: number | undefined }
  /** Where the server puts a record without a partition. */
  partitionOf?(log: Log, topic: string, key: string | null): number
  produced(stored: readonly { partition: number; offset: number }[]): Reply
  /** What a record is that the log does not take. */
  failedItem(why: 'partition' | 'broker', partition: number): Item
  settings(body: Body): Pick<Instance, 'reset' | 'autoCommit'>
  notFound(what: 'topic' | 'instance'): Refusal
  exists(): Refusal
  /** Of a member that Kafka has put out of the group. */
  stale(): Refusal
  /** Whether one that has subscribed is a member at once. Java's client becomes one when it polls. */
  joinsToCommit: boolean
  /** What is stored for `offset` of a commit. */
  stored(offset: number): number
  committed: Reply
  poll(log: Log, instance: Instance, query: URLSearchParams): Promise<Stored[]>
  read(record: Stored): Item
  /** The servers that can. */
  describe?: boolean
  create?(request: ReceivedRequest, path: readonly string[], log: Log): Reply | undefined
}

/** A server of Kafka REST v2 in memory, which behaves as one of the real ones. Reset it by making another. */
export class StandIn extends ScriptedServer {
  readonly log = new Log()
  readonly instances = new Map<string, Instance>()
  /** What the broker refuses, by the topic. */
  readonly refused = new Set<string>()
  /** Answers in place of the server; `undefined` leaves it to the server. */
  before: ((request: ReceivedRequest) => Handler | undefined) | undefined
  readonly #behaviour: Behaviour

  constructor(behaviour: Behaviour) {
    super(() => {})
    this.handler = (request, response) => this.#serve(request, response)
    this.#behaviour = behaviour
  }

  /** As after a restart. */
  forget(): void {
    for (const { group, name } of this.instances.values()) this.log.leave(group, name)
    this.instances.clear()
  }

  async #serve(...[request, response]: Parameters<Handler>): Promise<void> {
    const other = this.before?.(request)
    if (other !== undefined) {
      await other(request, response)
      return
    }
    let reply: Reply
    try {
      reply = await this.#answer(request)
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      reply = { status: error.status, body: error.body }
    }
    const { status = 200, type = v2, headers, body } = reply
    response.writeHead(status, { ...(body !== undefined && { 'content-type': type }), ...headers })
    response.end(body === undefined ? undefined : JSON.stringify(body))
  }

  async #answer(request: ReceivedRequest): Promise<Reply> {
    const { pathname, searchParams } = new URL(request.path, 'http://stand-in')
    const path = pathname.split('/').slice(1).map(decodeURIComponent)
    const { method } = request
    const behaviour = this.#behaviour
    if (pathname === '/') return behaviour.root()
    const created = behaviour.create?.(request, path, this.log)
    if (created !== undefined) return created
    behaviour.check(request, path)
    const body = () => JSON.parse(request.body || '{}') as Body
    if (path[0] === 'topics') return this.#topics(method, path, body)
    const [, group = '', , name = '', what] = path
    if (path[0] !== 'consumers') throw new Refusal(404, 404)
    if (path.length === 2) return this.#create(group, body())
    const instance = this.instances.get(`${group} ${name}`)
    if (instance === undefined) throw behaviour.notFound('instance')
    switch (`${method} ${what}`) {
      case 'DELETE undefined':
        this.instances.delete(`${group} ${name}`)
        this.log.leave(group, name)
        return { status: 204 }
      case 'POST subscription':
        this.log.join(group, name, body().topics as string[], instance.reset)
        instance.subscribed = true
        return { status: 204 }
      case 'GET records':
        return { type: binary, body: await this.#poll(instance, searchParams) }
      case 'POST offsets':
        return this.#commit(instance, body())
      default:
        throw new Refusal(405, 405)
    }
  }

  #topics(method: string, [, topic, partitions]: readonly string[], body: () => Body): Reply {
    const { log } = this
    if (topic === undefined) return { body: [...log.topics.keys(), '__consumer_offsets'] }
    const logs = log.topics.get(topic)
    if (logs === undefined) throw this.#behaviour.notFound('topic')
    if (method === 'POST') return this.#produce(topic, body())
    if (this.#behaviour.describe !== true) throw new Refusal(404, 404)
    const replicas = [{ broker: 1, leader: true, in_sync: true }]
    const described = logs.map((_, partition) => ({ partition, leader: 1, replicas }))
    return { body: partitions ? described : { name: topic, configs: {}, partitions: described } }
  }

  #produce(topic: string, { records }: Body): Reply {
    const behaviour = this.#behaviour
    const items = (records as Body[]).map((given) => {
      const { record, partition: asked } = behaviour.recordOf(given)
      const chosen = behaviour.partitionOf ?? ((log, ...rest) => log.partitionOf(...rest))
      const partition = asked ?? chosen(this.log, topic, record.key)
      if (partition >= (this.log.topics.get(topic)?.length ?? 0)) {
        return behaviour.failedItem('partition', partition)
      }
      if (this.refused.has(record.value ?? '')) return behaviour.failedItem('broker', partition)
      return { partition, offset: this.log.append(topic, record, partition) }
    })
    return behaviour.produced(items as { partition: number; offset: number }[])
  }

  #create(group: string, body: Body): Reply {
    const { name } = body as { name: string }
    if (body.format !== 'binary') throw new Refusal(422, 42204)
    const settings = this.#behaviour.settings(body)
    if (this.instances.has(`${group} ${name}`)) throw this.#behaviour.exists()
    const instance = { group, name, ...settings, subscribed: false, joined: false }
    this.instances.set(`${group} ${name}`, instance)
    // A host that only the server itself could reach.
    return { body: { instance_id: name, base_uri: `http://internal.invalid/consumers/${group}` } }
  }

  async #poll(instance: Instance, query: URLSearchParams): Promise<Item[]> {
    const { group, name, autoCommit } = instance
    if (!instance.subscribed) throw new Refusal(409, 40903)
    if (!instance.joined) {
      instance.joined = true
      this.log.read(group, name, 0)
      return []
    }
    const records = await this.#behaviour.poll(this.log, instance, query)
    if (autoCommit) {
      for (const { topic, partition, offset } of records) {
        this.log.commit(group, topic, partition, offset + 1)
      }
    }
    return records.map((record) => this.#behaviour.read(record))
  }

  #commit({ group, name, subscribed, joined }: Instance, { offsets }: Body): Reply {
    const member = this.log.isMember(group, name) && (joined || this.#behaviour.joinsToCommit)
    const alone = !subscribed && this.log.isEmpty(group)
    if (!member && !alone) throw this.#behaviour.stale()
    for (const { topic, partition, offset } of offsets as Stored[]) {
      if (offset < 0) throw new Refusal(422, 422)
      this.log.commit(group, topic, partition, this.#behaviour.stored(offset))
    }
    return this.#behaviour.committed
  }
}
