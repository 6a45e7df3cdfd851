import { afterAll, expect, test } from 'vitest'
import { json, serve } from '../chaos/http.ts'
import { startWorker } from '../edge/worker.ts'

const value = 'value-of-the-tests'

const vault = await serve((request, response) => {
  const answer =
    request.headers.authorization === undefined
      ? json({}, 401, { 'www-authenticate': 'Bearer resource="https://vault.azure.net"' })
      : json({ value, id: `${vault.url}/secrets/a/0123456789abcdef`, attributes: {} })
  return answer(request, response)
})
afterAll(() => vault.close())
const log: string[] = []
const worker = await startWorker(
  new URL('secret.worker.ts', import.meta.url),
  { VAULT: vault.url },
  { flags: [], log },
)

test('a Worker reads secrets, in several requests at once, and its log shows none', async () => {
  const replies = await Promise.all(
    Array.from({ length: 5 }, async () => (await fetch(worker.url)).text()),
  )
  expect(replies).toEqual(Array(5).fill(value))
  await expect.poll(() => log.join('\n')).toContain('about it')
  expect(log.join('\n')).toContain('0123456789abcdef')
  expect(log.join('\n')).not.toContain(value)
  expect(log.join('\n')).not.toContain('token-of-the-tests')
})
