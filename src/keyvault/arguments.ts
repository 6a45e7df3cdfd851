import { DriverFailure } from '../core/index.ts'
import type { SecretAttributes } from './driver.ts'

export function invalid(detail: string): DriverFailure {
  return new DriverFailure({ kind: 'invalid', outcome: 'not-applied', detail })
}

/** https://learn.microsoft.com/azure/key-vault/secrets/about-secrets */
const maxValueBytes = 25_600
const maxTags = 15
const maxContentType = 255
/** The vault's seconds since the epoch are 32 bits at least: the year 2106. */
const maxSeconds = 2 ** 32 - 1

const utf8 = new TextEncoder()

export function checkName(name: unknown): void {
  if (typeof name !== 'string' || !/^[0-9a-zA-Z-]{1,127}$/.test(name)) {
    throw invalid('name is not 1 to 127 letters, digits and dashes')
  }
}

export function checkVersion(version: unknown): void {
  if (version === undefined) return
  if (typeof version !== 'string' || !/^[0-9a-zA-Z]{1,64}$/.test(version)) {
    throw invalid('version is not 1 to 64 letters and digits')
  }
}

export function checkValue(value: unknown): void {
  if (typeof value !== 'string' || value === '' || !value.isWellFormed()) {
    throw invalid('value is not well-formed text, or is empty')
  }
  if (value.length > maxValueBytes || utf8.encode(value).length > maxValueBytes) {
    throw invalid(`value is longer than ${maxValueBytes} bytes`)
  }
}

/** What goes out: checked, with its instants cut to whole seconds. Only what was given is in it. */
export function attributesOf(given: SecretAttributes): SecretAttributes {
  const { enabled, contentType, tags } = given
  if (enabled !== undefined && typeof enabled !== 'boolean') {
    throw invalid('enabled is not a boolean')
  }
  const expiresOn = instant(given.expiresOn, 'expiresOn')
  const notBefore = instant(given.notBefore, 'notBefore')
  if (expiresOn !== undefined && notBefore !== undefined && notBefore >= expiresOn) {
    throw invalid('notBefore is not before expiresOn')
  }
  if (contentType !== undefined && !isText(contentType, maxContentType)) {
    throw invalid(`contentType is not text of at most ${maxContentType} characters`)
  }
  if (tags !== undefined) checkTags(tags)
  return {
    ...(enabled !== undefined && { enabled }),
    ...(expiresOn !== undefined && { expiresOn }),
    ...(notBefore !== undefined && { notBefore }),
    ...(contentType !== undefined && { contentType }),
    ...(tags !== undefined && { tags: { ...tags } }),
  }
}

function instant(given: unknown, what: string): Date | undefined {
  if (given === undefined) return undefined
  const seconds = given instanceof Date ? Math.floor(given.getTime() / 1000) : Number.NaN
  if (!(seconds >= 0 && seconds <= maxSeconds)) {
    throw invalid(`${what} is not a Date from 1970 to 2106`)
  }
  return new Date(seconds * 1000)
}

function isText(given: unknown, maxLength: number): given is string {
  return typeof given === 'string' && given.length <= maxLength && given.isWellFormed()
}

function checkTags(tags: unknown): void {
  if (typeof tags !== 'object' || tags === null) throw invalid('tags is not an object')
  const all = Object.entries(tags)
  if (all.length > maxTags) throw invalid(`there are more than ${maxTags} tags`)
  for (const [name, value] of all) {
    if (name === '' || !isText(name, 512)) {
      throw invalid('the name of a tag is not text of 1 to 512 characters')
    }
    if (!isText(value, 256))
      throw invalid('the value of a tag is not text of at most 256 characters')
  }
}

export function checkBackup(backup: unknown): void {
  if (!(backup instanceof Uint8Array) || backup.length === 0) {
    throw invalid('backup is not bytes, or is empty')
  }
}

export function checkContinuation(continuation: unknown): void {
  if (continuation !== undefined && (typeof continuation !== 'string' || continuation === '')) {
    throw invalid('continuation is not text')
  }
}

export function wholeNumber(given: unknown, min: number, max: number, what: string): void {
  if (!Number.isInteger(given) || (given as number) < min || (given as number) > max) {
    throw invalid(`${what} is not a whole number from ${min} to ${max}`)
  }
}
