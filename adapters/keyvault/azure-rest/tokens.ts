import { withoutContext } from '../../../src/core/context.ts'
import { DriverFailure } from '../../../src/core/index.ts'
import { isWorkerd } from '../../../src/core/runtime.ts'
import type { Challenge } from './challenge.ts'

/** What a credential is asked for. */
export interface TokenRequest extends Challenge {
  /** Fires when nobody will wait any longer. */
  readonly signal: AbortSignal
  /** The adapter's clock, in epoch milliseconds. */
  readonly now: () => number
}

export interface AccessToken {
  readonly token: string
  /** Default: it is good until the vault refuses it. */
  readonly expiresOn?: Date | undefined
}

/**
 * Gets a token for a vault. Any function will do; it is asked before the first request, shortly before a
 * token expires, and once more when one was refused.
 */
export type Credential = (
  request: TokenRequest,
) => string | AccessToken | Promise<string | AccessToken>

interface Held {
  readonly token: string
  readonly refreshAt: number
  readonly expiresAt: number
}

/** A token is replaced this long before it expires, or when a tenth of its time is left if that is shorter. */
const marginMs = 5 * 60_000

export interface TokensOptions {
  readonly credential: Credential
  readonly clock: () => number
  /** Asks the vault what it wants a token for. */
  readonly challenge: (signal: AbortSignal) => Promise<Challenge>
  /** Runs work that several callers may wait for, with a signal that bounds it. */
  readonly bounded: <T>(work: (signal: AbortSignal) => Promise<T>) => Promise<T>
}

/** The token of one vault, with the challenge that it answers. */
export class Tokens {
  readonly #options: TokensOptions
  #challenge: Challenge | undefined
  #held: Held | undefined
  #pending: Promise<string> | undefined

  constructor(options: TokensOptions) {
    this.#options = options
  }

  /** Nothing to wait for while there is one that lasts. */
  get(): string | Promise<string> {
    const held = this.#held
    if (held !== undefined && this.#options.clock() < held.refreshAt) return held.token
    // In workerd nothing that is pending may be shared between requests.
    if (isWorkerd) return this.#obtain()
    this.#pending ??= withoutContext(() => this.#obtain()).finally(() => {
      this.#pending = undefined
    })
    return this.#pending
  }

  /** A token in place of one that the vault refused, for the challenge that came with the refusal, if one did. */
  replace(refused: string, challenge: Challenge | undefined): string | Promise<string> {
    // Of all whose token was refused together, the first one replaces it.
    if (this.#held?.token === refused) {
      this.#held = undefined
      this.#challenge = challenge ?? this.#challenge
    }
    return this.get()
  }

  #obtain(): Promise<string> {
    const { bounded, challenge, clock } = this.#options
    return bounded(async (signal) => {
      this.#challenge ??= await challenge(signal)
      try {
        this.#held = await this.#ask({ ...this.#challenge, signal, now: clock })
      } catch (error) {
        // Too early to give up: the old one is still good.
        if (this.#held === undefined || clock() >= this.#held.expiresAt) throw error
      }
      return this.#held.token
    })
  }

  async #ask(request: TokenRequest): Promise<Held> {
    let given: string | AccessToken
    try {
      given = await this.#options.credential(request)
    } catch (cause) {
      if (cause instanceof DriverFailure) throw cause
      const detail = 'the credential function failed'
      throw new DriverFailure({ kind: 'unavailable', outcome: 'not-applied', detail }, { cause })
    }
    const { token, expiresOn } = typeof given === 'string' ? { token: given } : { ...given }
    // Anything else is refused by `Headers`, which quotes it in its error.
    if (typeof token !== 'string' || !/^[\x21-\x7e]+$/.test(token)) {
      const detail = 'the token is not printable ASCII without spaces'
      throw new DriverFailure({ kind: 'config', outcome: 'not-applied', detail })
    }
    const expiresAt = expiresOn?.getTime() ?? Infinity
    const lifeMs = expiresAt - request.now()
    const refreshAt = lifeMs === Infinity ? Infinity : expiresAt - Math.min(marginMs, lifeMs / 10)
    return { token, refreshAt, expiresAt }
  }
}
