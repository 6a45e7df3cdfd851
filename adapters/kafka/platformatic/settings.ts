import type { ConnectionOptions, SASLOptions } from '@platformatic/kafka'
import { DriverFailure, InfraError } from '../../../src/core/index.ts'
import type { PlatformaticOptions, Secret } from './options.ts'

export interface Settings {
  readonly brokers: { readonly host: string; readonly port: number }[]
  readonly clientId: string
  /** What every connection is made with, whoever makes it. */
  readonly connection: ConnectionOptions
  readonly maxIdleMs: number
  readonly maxRequestBytes: number
  readonly resource: string
}

/** @throws InfraError `KAFKA_CONFIG` */
export function settingsOf(options: PlatformaticOptions): Settings {
  const known = 'brokers clientId tls sasl connectTimeoutMs maxIdleMs maxRequestBytes'.split(' ')
  if (Object.keys(options).some((name) => !known.includes(name))) {
    throw misconfigured(`there is an option that is none of ${known.join(', ')}`)
  }
  const { clientId = 'dualport', tls } = options
  const { connectTimeoutMs = 5000, maxIdleMs = 25_000, maxRequestBytes = 1_000_000 } = options
  const brokers = brokersOf(options.brokers)
  if (typeof clientId !== 'string' || !/^\S{1,255}$/.test(clientId)) {
    throw misconfigured('clientId is not 1 to 255 characters without spaces')
  }
  if (!(connectTimeoutMs > 0)) throw misconfigured('connectTimeoutMs is not above 0')
  if (!(maxIdleMs > 0)) throw misconfigured('maxIdleMs is not above 0')
  if (!(maxRequestBytes > 0)) throw misconfigured('maxRequestBytes is not above 0')
  return {
    brokers,
    clientId,
    connection: {
      connectTimeout: connectTimeoutMs,
      ...(tls && { tls: tls === true ? {} : tls }),
      ...(options.sasl && { sasl: saslOf(options.sasl) }),
    },
    maxIdleMs,
    maxRequestBytes,
    resource: brokers.map(({ host, port }) => `${host}:${port}`).join(','),
  }
}

function brokersOf(brokers: PlatformaticOptions['brokers']): Settings['brokers'] {
  const list = typeof brokers === 'string' ? brokers.split(',') : brokers
  if (!Array.isArray(list) || list.every((broker) => broker === '')) {
    throw misconfigured('brokers: there is none')
  }
  return list.map((broker: unknown) => {
    const match =
      typeof broker === 'string'
        ? /^\s*(?:\[([\da-f:.]+)\]|([\w.-]+))(?::(\d{1,5}))?\s*$/i.exec(broker)
        : null
    const port = Number(match?.[3] ?? 9092)
    if (match === null || port < 1 || port > 65_535) {
      throw misconfigured('brokers has an entry that is not host:port')
    }
    return { host: (match[1] ?? match[2]) as string, port }
  })
}

function saslOf(sasl: NonNullable<PlatformaticOptions['sasl']>): SASLOptions {
  const { mechanism } = sasl
  if (mechanism === 'OAUTHBEARER') return { mechanism, token: secret('token', sasl.token) }
  if (!['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'].includes(mechanism)) {
    throw misconfigured(
      'sasl.mechanism is none of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER',
    )
  }
  return {
    mechanism,
    username: secret('username', sasl.username),
    password: secret('password', sasl.password),
  }
}

/** A function that fails says nothing about the credentials: it may work the next time. */
function secret(name: string, value: Secret): Secret {
  if (typeof value === 'string') return value
  if (typeof value !== 'function') {
    throw misconfigured(`sasl.${name} is neither a text nor a function`)
  }
  return async () => {
    try {
      return await value()
    } catch (cause) {
      const detail = `the ${name} function failed`
      throw new DriverFailure({ kind: 'unavailable', outcome: 'not-applied', detail }, { cause })
    }
  }
}

function misconfigured(detail: string): InfraError {
  return new InfraError({
    kind: 'config',
    component: 'kafka',
    adapter: 'platformatic',
    operation: 'configure',
    detail,
  })
}
