import type { SecretProperties } from './driver.ts'
import { VaultError } from './errors.ts'

/** How far the clocks of this machine and of whoever set the times may be apart, if nobody says otherwise. */
export const defaultClockSkewMs = 60_000

/**
 * Why the value is not to be used at this moment, if so. In doubt it may be: a clock that is off by less than
 * `clockSkewMs` keeps nobody from a valid secret, and lets an expired one live that much longer.
 */
export function checkUsable(
  { enabled, expiresOn, notBefore }: SecretProperties,
  nowMs: number,
  clockSkewMs: number = defaultClockSkewMs,
): VaultError | undefined {
  if (!enabled) return new VaultError(403, 'SecretDisabled')
  if (expiresOn !== undefined && nowMs - clockSkewMs >= expiresOn.getTime()) {
    return new VaultError(403, 'SecretExpired')
  }
  if (notBefore !== undefined && nowMs + clockSkewMs < notBefore.getTime()) {
    return new VaultError(403, 'SecretNotYetValid')
  }
  return undefined
}
