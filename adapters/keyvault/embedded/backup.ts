import type { StoredSecret, StoredVersion } from './vault.ts'

const magic = 'dualport-secret-1\n'

/** Azure's are encrypted; this one is as safe as the vault itself, which is in memory or in a file. */
export function toBackup({ name, versions }: StoredSecret): Uint8Array {
  return new TextEncoder().encode(magic + JSON.stringify({ name, versions }))
}

/** `undefined` for what `toBackup` did not write. */
export function fromBackup(backup: Uint8Array): StoredSecret | undefined {
  const text = new TextDecoder().decode(backup)
  if (!text.startsWith(magic)) return undefined
  try {
    const { name, versions } = JSON.parse(text.slice(magic.length)) as StoredSecret
    const valid = /^[0-9a-zA-Z-]{1,127}$/.test(name) && versions.length > 0
    return valid && versions.every(isVersion) ? { name, versions } : undefined
  } catch {
    return undefined
  }
}

function isVersion(given: StoredVersion): boolean {
  const { version, value, enabled, exp, nbf, created, updated, contentType, tags } = given
  return (
    /^[0-9a-f]{32}$/.test(version) &&
    typeof value === 'string' &&
    typeof enabled === 'boolean' &&
    [exp ?? 0, nbf ?? 0, created, updated].every(Number.isSafeInteger) &&
    typeof (contentType ?? '') === 'string' &&
    Object.values(tags).every((tag) => typeof tag === 'string')
  )
}
