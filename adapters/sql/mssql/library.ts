import { EventEmitter } from 'node:events'
import { createRequire } from 'node:module'
import type { Connection } from 'tedious'
import { DriverFailure } from '../../../src/core/index.ts'
import { type ReadValue, readingExactly } from './exact.ts'

type Tedious = typeof import('tedious')

/** tedious, and the connections that are ours. */
export interface Library {
  readonly tedious: Tedious
  readonly Connection: Tedious['Connection']
}

/** Shared by all adapters of the process: what is loaded is loaded. Not its failure. */
let loading: Promise<Library> | undefined

/** @throws DriverFailure of kind `config` if it is not installed */
export function load(): Promise<Library> {
  if (loading === undefined) {
    const started = open()
    loading = started
    started.catch(() => {
      loading = undefined
    })
  }
  return loading
}

async function open(): Promise<Library> {
  let tedious: Tedious
  let values: { readValue: ReadValue } | undefined
  try {
    tedious = await import('tedious')
    values = (await import('tedious/lib/value-parser.js')) as never
    // Of a CommonJS module, what can be changed is its exports.
    values = (values as { default?: typeof values }).default ?? values
  } catch {
    try {
      // Where packages see only what they name themselves, mssql still sees its own.
      const require = createRequire(createRequire(import.meta.url).resolve('mssql'))
      tedious = require('tedious') as Tedious
      values = require('tedious/lib/value-parser.js') as typeof values
    } catch (cause) {
      const detail = 'mssql is not installed; run: npm install mssql'
      throw new DriverFailure({ kind: 'config', outcome: 'not-applied', detail }, { cause })
    }
  }
  return { tedious, Connection: connectionClass(tedious, values) }
}

type Parser = ReturnType<Connection['createTokenStreamParser']>
/** What it reads from, which is its own affair. */
interface Inner {
  readonly parser: EventEmitter
}

function connectionClass(
  tedious: Tedious,
  values: { readValue: ReadValue } | undefined,
): Tedious['Connection'] {
  const isOurs = new WeakSet<object>()
  if (values !== undefined) {
    values.readValue = readingExactly(values.readValue, (options) => isOurs.has(options))
  }
  return class extends tedious.Connection {
    #parser: Parser | undefined

    constructor(...[config]: ConstructorParameters<typeof Connection>) {
      super(config)
      isOurs.add(this.config.options)
    }

    /** A server that does not encrypt would be sent the password in clear by tedious. */
    override async performTlsNegotiation(
      ...[prelogin, signal]: Parameters<Connection['performTlsNegotiation']>
    ): Promise<void> {
      const { encrypt } = this.config.options
      if (encrypt === true && !/^(ON|REQ)$/.test(prelogin.encryptionString)) {
        throw new tedious.ConnectionError('The server does not encrypt.', 'EENCRYPT')
      }
      await super.performTlsNegotiation(prelogin, signal)
    }

    /** An error that nobody listens to would end the process: bytes that are no TDS, say. */
    override createTokenStreamParser(
      ...args: Parameters<Connection['createTokenStreamParser']>
    ): Parser {
      // A reply that comes after the end is of no request, which tedious does not expect.
      if (this.closed)
        return Object.assign(new EventEmitter(), { pause() {}, resume() {} }) as never
      const parser = super.createTokenStreamParser(...args)
      ;(parser as unknown as Inner).parser.on('error', () => {
        const error = new tedious.ConnectionError('Not TDS.', 'EPROTO')
        // Who connects hears this, and who waits for a reply that.
        this.emit('error', error)
        this.dispatchEvent('socketError', error)
      })
      this.#parser = parser
      return parser
    }

    /** Nor does it expect the end of a reply. */
    override cleanupConnection(): void {
      super.cleanupConnection()
      this.#parser?.removeAllListeners()
    }
  }
}
