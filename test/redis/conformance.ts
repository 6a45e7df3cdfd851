import { afterAll, describe, test } from 'vitest'
import { type RedisTarget, redisSuite, runSuite } from '../../src/testing/index.ts'
import { needs, skipped } from '../engines/index.ts'

/** Every case of the suite as a test of its own; all of them skipped where the server is missing. */
export function conformance(
  over: string,
  server: { readonly missing?: string },
  target: () => RedisTarget,
): void {
  describe(`Redis over ${over}`, needs(server), () => {
    if (server.missing !== undefined) {
      for (const { name } of redisSuite.cases) test(name, () => {})
      return
    }
    const running = target()
    afterAll(() => running.redis.close())
    runSuite(redisSuite, {
      target: running,
      test: (name, run) => test(name, { timeout: 30_000 }, run),
      skip: (name, reason) => test(name, skipped(reason), () => {}),
    })
  })
}
