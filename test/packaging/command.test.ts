import { afterAll, expect, test } from 'vitest'
import { installPackage } from './project.ts'

const project = await installPackage()
afterAll(() => project.remove())

test('the command works with nothing else installed', async () => {
  const bin = 'node_modules/.bin/dualport'
  expect(await project.run(bin, ['--version'])).toMatch(/^\d+\.\d+\.\d+\n$/)
  const findings = await project.run(bin, ['check', '--json'], { REDIS_URL: 'memory:' })
  expect(JSON.parse(findings)).toMatchObject({ status: 'healthy' })
  await expect(project.run(bin, ['check'], { REDIS_URL: 'redis://127.0.0.1:1' })).rejects.toThrow(
    /ioredis is not installed; run: npm install ioredis/,
  )
  await expect(project.run(bin, ['serve'], { PORT: 'none' })).rejects.toThrow(/^dualport: PORT: /m)
})

test.each([
  ['node', [], 'ioredis'],
  ['workerd', ['--conditions=workerd'], 'REDIS_URL: set it to https://host'],
  ['edge-light', ['--conditions=edge-light'], 'REDIS_URL: set it to https://host'],
])('dualport/auto in %s', async (_, conditions, wanted) => {
  const code = `
    import { createInfrastructure } from 'dualport/auto'
    try {
      console.log(createInfrastructure({ REDIS_URL: 'redis://host' }).redis.adapter)
    } catch (error) {
      console.log(error.message)
    }
  `
  const args = [...conditions, '--input-type=module', '--eval', code]
  expect(await project.run(process.execPath, args)).toContain(wanted)
})
