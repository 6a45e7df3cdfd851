import {
  basic,
  bearer,
  type Credentials,
  type EndpointOptions,
  HttpEndpoint,
  type Secret,
} from '../../src/core/http.ts'
import { InfraError } from '../../src/core/index.ts'
import type { KafkaDriver } from '../../src/kafka/index.ts'
import { RestAdmin } from './rest/admin.ts'
import { RestApi } from './rest/api.ts'
import { RestConsumer } from './rest/consumer.ts'
import { type DialectName, dialects } from './rest/dialects.ts'
import { RestProducer } from './rest/producer.ts'

export interface RestOptions extends EndpointOptions {
  /** Sent as Bearer. */
  token?: Secret | undefined
  /** Sent as Basic, with `password`. Without a token and a username, requests have no credentials. */
  username?: string | undefined
  password?: Secret | undefined
  /**
   * Which server it is: Confluent's REST Proxy, Karapace, Strimzi's Bridge, Redpanda's HTTP Proxy or dualport's
   * gateway. Default `auto`: the first request asks its root. Until then `capabilities` are all that any of them
   * has, and what this one lacks is refused (`unsupported`) by the first call that needs it, before it is sent.
   */
  dialect?: 'auto' | DialectName | undefined
  /** The largest batch in bytes, before base64. Default 7 MB; Karapace 750 KB, since it takes a body of 1 MB. */
  maxRequestBytes?: number | undefined
}

/**
 * Kafka over HTTP by Kafka REST v2. Plain `fetch`, so it runs everywhere; it holds no connection, so that it may
 * live at module level in a Worker. Protocol: https://docs.confluent.io/platform/current/kafka-rest/api.html
 *
 * A consumer is an instance in one process of the server: all its requests must reach that process. With
 * `from: 'latest'`, a group that has committed nothing begins anew at the end when its instance is lost.
 * @throws InfraError `KAFKA_CONFIG` for malformed options.
 */
export function rest(options: RestOptions): KafkaDriver {
  const {
    url,
    fetch,
    token,
    username,
    password,
    dialect = 'auto',
    maxRequestBytes,
    ...unknown
  } = options
  if (Object.keys(unknown).length > 0) throw misconfigured('unknown option')
  if (dialect !== 'auto' && !Object.hasOwn(dialects, dialect)) {
    throw misconfigured('dialect is none that is known')
  }
  if (maxRequestBytes !== undefined && !(maxRequestBytes > 0)) {
    throw misconfigured('maxRequestBytes is not above 0')
  }
  const endpoint = new HttpEndpoint(
    { url, fetch },
    credentialsOf(token, username, password),
    misconfigured,
  )
  const known = dialect === 'auto' ? undefined : dialects[dialect]
  const api = new RestApi(endpoint, known, maxRequestBytes)
  return {
    adapter: 'rest',
    resource: endpoint.resource,
    capabilities: api.capabilities,
    producer: (setup) => new RestProducer(api, setup),
    consumer: (setup) => new RestConsumer(api, setup),
    admin: () => new RestAdmin(api),
  }
}

function credentialsOf(
  token: Secret | undefined,
  username: string | undefined,
  password: Secret | undefined,
): Credentials | undefined {
  if ((username === undefined) !== (password === undefined)) {
    throw misconfigured('username and password go together')
  }
  if (username === undefined || password === undefined) {
    return token === undefined ? undefined : { secret: token, scheme: bearer }
  }
  if (token !== undefined) throw misconfigured('there are a token and a username: give one')
  return { secret: password, scheme: basic(username) }
}

function misconfigured(detail: string): InfraError {
  return new InfraError({
    kind: 'config',
    component: 'kafka',
    adapter: 'rest',
    operation: 'configure',
    detail,
  })
}
