import { Sealer, type SealingKey } from '../cache/seal.ts'
import { fromBase64, toBase64 } from '../core/base64.ts'
import type { CqlStatement } from './driver.ts'
import { identityOf } from './request.ts'
import { invalid } from './values.ts'

/**
 * A place in a result, for whoever may not change it. A server takes a state of another statement, or one that
 * was tampered with, and skips rows; so it is encrypted and authenticated together with what it belongs to.
 */
export class PagingStates {
  readonly #sealer: Sealer
  readonly #keyspace: string

  /** @throws InfraError `CACHE_CONFIG` for what is no key */
  constructor(keys: SealingKey | readonly SealingKey[], keyspace: string | undefined) {
    this.#sealer = new Sealer(keys)
    this.#keyspace = keyspace ?? ''
  }

  /** URL-safe: letters, digits, `-` and `_`. */
  async seal(state: Uint8Array, statement: CqlStatement): Promise<string> {
    const sealed = await this.#sealer.seal(new Uint8Array(state), this.#context(statement))
    return toBase64(sealed).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
  }

  /** @throws DriverFailure of kind `invalid` */
  async open(text: string, statement: CqlStatement): Promise<Uint8Array> {
    const isOurs = typeof text === 'string' && /^[\w-]+$/.test(text)
    const base64 = isOurs ? text.replaceAll('-', '+').replaceAll('_', '/') : ''
    const sealed = fromBase64(base64.padEnd(Math.ceil(base64.length / 4) * 4, '='))
    const state = sealed && (await this.#sealer.open(sealed, this.#context(statement)))
    if (state instanceof Uint8Array) return state
    throw invalid('pagingState is not what page gave for this statement, parameters and keyspace')
  }

  #context(statement: CqlStatement): string[] {
    return ['dualport scylladb page', this.#keyspace, identityOf(statement)]
  }
}
