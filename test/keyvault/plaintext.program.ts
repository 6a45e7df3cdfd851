import { inspect } from 'node:util'
import { createInfrastructure, resolveSecrets } from '../../src/config/auto.node.ts'
import { CachedKeyVault } from '../../src/keyvault/cached.ts'

// A user's program, with every line that dualport can log, which shows all that it gets hold of but the values.

const values = JSON.parse(process.env.VALUES!) as readonly string[]
const { VALUES: _, ...env } = process.env
const options = { logSuccess: true, retry: false } as const

const infra = createInfrastructure(await resolveSecrets(env, options), options)
const { keyvault, redis } = infra
if (!(keyvault instanceof CachedKeyVault)) throw new Error('there is no cache')
await infra.warm()

const shown: unknown[] = [infra, infra.describe(), keyvault, await infra.health.check()]
async function show(work: Promise<unknown>): Promise<void> {
  shown.push(
    await work.catch((error: Error) => [error, `${error}`, error.stack, JSON.stringify(error)]),
  )
}

for (const [i, value] of values.entries()) {
  const name = `plain-${i}`
  await show(keyvault.setSecret(name, value, { tags: { number: `${i}` } }))
  const { version } = await keyvault.getSecret(name)
  await show(keyvault.getSecret(name))
  await show(keyvault.getSecret(name, { version }))
  await show(keyvault.updateSecret(name, { contentType: 'text/plain' }))
  await show(keyvault.getSecret(name))
  await show(keyvault.listVersions(name).page())
  // Refused here, and by the vault.
  await show(keyvault.setSecret(name, value.repeat(30_000)))
  await show(keyvault.setSecret(`${value} is no name`, value))
  await show(keyvault.setSecret(`off-${i}`, value, { enabled: false }))
  await show(keyvault.getSecrets([name, `off-${i}`, 'none']))
  await keyvault.setSecret(`gone-${i}`, value)
  await keyvault.getSecret(`gone-${i}`)
  const backup = await keyvault.backupSecret(`gone-${i}`)
  await show(keyvault.restoreSecret(backup))
  await show(keyvault.deleteSecret(`gone-${i}`))
  await show(keyvault.setSecret(`gone-${i}`, value))
  await show(keyvault.recoverSecret(`gone-${i}`))
  await show(keyvault.getSecret(`gone-${i}`))
}
await show(keyvault.listSecrets().page())
await show(keyvault.listDeletedSecrets().page())
await show(keyvault.health({ secret: 'plain-0' }))
await show(keyvault.health({ secret: 'off-0' }))
await keyvault.invalidate('plain-0')
await Promise.all(Array.from({ length: 10 }, () => keyvault.getSecret('plain-0')))
await show(redis.get('none'))

console.log(inspect(shown, { depth: 10, showHidden: true }))
console.log(JSON.stringify(shown))
console.error(`${shown}`)
await infra.close()
await show(keyvault.setSecret('closed', values[0]!))
console.log(shown.at(-1))
