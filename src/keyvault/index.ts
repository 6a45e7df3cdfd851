export {
  type GetSecretOptions,
  type GetSecretsOptions,
  type HealthOptions,
  KeyVault,
  type KeyVaultOptions,
  type ListOptions,
  type SetSecretOptions,
  type UpdateSecretOptions,
  type WaitOptions,
} from './client.ts'
export type {
  DeletedSecretProperties,
  KeyVaultCapabilities,
  KeyVaultDriver,
  NewSecret,
  Page,
  PageRequest,
  SecretAttributes,
  SecretData,
  SecretId,
  SecretProperties,
  SecretUpdate,
} from './driver.ts'
export { classifyVault, type Unusable, VaultError, whyUnusable } from './errors.ts'
export { Listing } from './listing.ts'
export { Secret } from './secret.ts'
export { checkUsable, defaultClockSkewMs } from './validity.ts'
