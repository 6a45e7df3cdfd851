import { type Attempt, DriverFailure } from '../../../src/core/index.ts'
import type { AdminDriver, NewTopic, TopicDescription } from '../../../src/kafka/index.ts'
import { classify, pathOf, type RestApi, signalOf } from './api.ts'
import { arrayOf, int32Of, notKafka } from './codec.ts'
import { RestError, unsupported } from './errors.ts'

/** https://github.com/apache/kafka/blob/4.0.0/clients/src/main/java/org/apache/kafka/common/internals/Topic.java */
const internal = new Set(['__consumer_offsets', '__transaction_state', '__share_group_state'])

interface WirePartition {
  readonly partition?: unknown
  readonly leader?: unknown
  readonly replicas?: unknown
}

export class RestAdmin implements AdminDriver {
  readonly adapter = 'rest'
  readonly resource: string
  readonly classify = classify
  readonly #api: RestApi

  constructor(api: RestApi) {
    this.#api = api
    this.resource = api.endpoint.resource
  }

  async listTopics(attempt: Attempt): Promise<readonly string[]> {
    const signal = signalOf(attempt)
    await this.#api.ready(attempt, signal)
    const body = await this.#get('/topics', attempt, signal)
    return arrayOf(body)
      .map((name) => {
        if (typeof name !== 'string') throw notKafka()
        return name
      })
      .filter((name) => !internal.has(name))
      .sort()
  }

  async describeTopics(
    names: readonly string[],
    attempt: Attempt,
  ): Promise<readonly TopicDescription[]> {
    const signal = signalOf(attempt)
    const { capabilities } = await this.#api.ready(attempt, signal)
    if (!capabilities.describeTopics) throw unsupported('this server does not describe topics')
    return Promise.all(names.map((name) => this.#describe(name, attempt, signal)))
  }

  async createTopics(
    topics: readonly NewTopic[],
    attempt: Attempt,
  ): Promise<readonly (Error | undefined)[]> {
    const signal = signalOf(attempt)
    const { createTopics, name } = await this.#api.ready(attempt, signal)
    if (createTopics === undefined) throw unsupported('this server does not create topics')
    const cluster = createTopics === 'v3' ? await this.#cluster(attempt, signal) : undefined
    return Promise.all(
      topics.map(async (topic) => {
        const { config = {} } = topic
        if (name === 'strimzi' && Object.keys(config).length > 0) {
          return unsupported('this server takes no settings of a topic')
        }
        try {
          await this.#create(topic, cluster, attempt, signal)
          return undefined
        } catch (error) {
          return this.#explain(topic.name, error as Error, attempt, signal)
        }
      }),
    )
  }

  offsets(): Promise<never> {
    return Promise.reject(unsupported('Kafka REST does not tell offsets'))
  }

  committed(): Promise<never> {
    return Promise.reject(unsupported('Kafka REST does not tell offsets'))
  }

  async ping(attempt: Attempt): Promise<void> {
    await this.listTopics(attempt)
  }

  async close(): Promise<void> {}

  /** There is no client below: the `fetch` in use. */
  async native(): Promise<typeof fetch> {
    return this.#api.endpoint.fetch
  }

  async #get(
    path: string,
    attempt: Attempt,
    signal: AbortSignal,
    accept?: string,
  ): Promise<unknown> {
    const attempts = [attempt]
    return (await this.#api.ask({ method: 'GET', path, accept, attempts, signal })).body
  }

  async #describe(name: string, attempt: Attempt, signal: AbortSignal): Promise<TopicDescription> {
    const body = await this.#get(pathOf('topics', name), attempt, signal)
    const { partitions } = (body ?? {}) as { readonly partitions?: unknown }
    return {
      name,
      partitions: arrayOf<WirePartition | null>(partitions).map((each) => {
        const replicas = arrayOf<{ broker?: unknown; in_sync?: unknown } | null>(each?.replicas)
        return {
          partition: int32Of(each?.partition),
          leader: int32Of(each?.leader),
          replicas: replicas.map((replica) => int32Of(replica?.broker)),
          inSyncReplicas: replicas
            .filter((replica) => replica?.in_sync === true)
            .map((replica) => int32Of(replica?.broker)),
        }
      }),
    }
  }

  /** Of Confluent's REST v3, which is needed for nothing else. */
  async #cluster(attempt: Attempt, signal: AbortSignal): Promise<string> {
    const body = await this.#api.look('/v3/clusters', attempt, signal, 'application/json')
    const { data } = (body ?? {}) as { readonly data?: unknown }
    const [cluster] = arrayOf<{ readonly cluster_id?: unknown } | null>(data)
    if (typeof cluster?.cluster_id !== 'string') throw notKafka()
    return cluster.cluster_id
  }

  async #create(
    { name, partitions, replicas, config = {} }: NewTopic,
    cluster: string | undefined,
    attempt: Attempt,
    signal: AbortSignal,
  ): Promise<void> {
    const settings = Object.entries(config)
    const common = {
      topic_name: name,
      ...(partitions !== undefined && { partitions_count: partitions }),
      ...(replicas !== undefined && { replication_factor: replicas }),
    }
    const v3 = cluster !== undefined
    const configs = v3 ? settings.map(([name, value]) => ({ name, value })) : config
    await this.#api.ask({
      method: 'POST',
      path: v3 ? pathOf('v3', 'clusters', cluster, 'topics') : '/admin/topics',
      ...(v3 && { type: 'application/json', accept: 'application/json' }),
      body: JSON.stringify({ ...common, ...(settings.length > 0 && { configs }) }),
      attempts: [attempt],
      signal,
    })
  }

  /** That a topic exists is no code of its own everywhere: one has to look. */
  async #explain(
    name: string,
    error: Error,
    attempt: Attempt,
    signal: AbortSignal,
  ): Promise<Error> {
    if (!(error instanceof RestError) || classify(error).kind === 'conflict') return error
    try {
      await this.#api.look(pathOf('topics', name), attempt, signal)
    } catch {
      return error
    }
    const detail = 'the topic exists'
    return new DriverFailure({ kind: 'conflict', outcome: 'not-applied', detail }, { cause: error })
  }
}
