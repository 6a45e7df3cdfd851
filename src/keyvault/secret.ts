import type { SecretData, SecretProperties } from './driver.ts'

/**
 * Not a field, private ones included: devtools, and with them some runtimes' `console.log`, show those.
 */
const values = new WeakMap<Secret, string>()

/**
 * One version of a secret. Whatever prints, copies or serialises it gets its properties and not its value,
 * which only `reveal()` gives.
 */
export class Secret implements SecretProperties {
  readonly name: string
  readonly version: string
  readonly enabled: boolean
  readonly expiresOn: Date | undefined
  readonly notBefore: Date | undefined
  readonly createdOn: Date | undefined
  readonly updatedOn: Date | undefined
  readonly contentType: string | undefined
  readonly tags: Readonly<Record<string, string>>
  readonly recoveryLevel: string | undefined
  readonly recoverableDays: number | undefined
  /** Older than it should be: it is being renewed, or the vault could not be asked. Only a cache gives such. */
  readonly stale: boolean

  constructor(data: SecretData, stale = false) {
    this.name = data.name
    this.version = data.version
    this.enabled = data.enabled
    this.expiresOn = data.expiresOn
    this.notBefore = data.notBefore
    this.createdOn = data.createdOn
    this.updatedOn = data.updatedOn
    this.contentType = data.contentType
    this.tags = data.tags
    this.recoveryLevel = data.recoveryLevel
    this.recoverableDays = data.recoverableDays
    this.stale = stale
    values.set(this, data.value)
  }

  /** The value. */
  reveal(): string {
    const value = values.get(this)
    // `Object.create(secret)` and the like, or a `reveal` that was put on another object.
    if (value === undefined) throw new TypeError('reveal: this is a copy of a secret')
    return value
  }

  toString(): string {
    return '[secret]'
  }
}
