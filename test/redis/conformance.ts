import { afterAll, describe, test } from 'vitest'
import { type RedisTarget, redisSuite, runSuite } from '../../src/testing/index.ts'
import { needs, skipped } from '../engines/index.ts'

/**
 * Every case of the suite as a test of its own; all of them skipped where the server is missing.
 * `elsewhere` runs the case of that name in another runtime, against the same adapter.
 */
export function conformance(
  over: string,
  server: { readonly missing?: string },
  target: () => RedisTarget,
  elsewhere?: (name: string) => Promise<void>,
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
      test: (name, run) => test(name, elsewhere === undefined ? run : () => elsewhere(name)),
      skip: (name, reason) => test(name, skipped(reason), () => {}),
    })
  })
}
