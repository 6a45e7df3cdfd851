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
export { Secret } from './secret.ts'
export { checkUsable, defaultClockSkewMs } from './validity.ts'
