import { afterAll, describe, test } from 'vitest'
import { runSuite, type SqlTarget, sqlSuite } from '../../src/testing/index.ts'
import { needs, skipped } from '../engines/index.ts'

/**
 * Every case of the suite as a test of its own. `elsewhere` runs the case of that name in another runtime,
 * against the same adapter.
 */
export function conformance(
  over: string,
  engine: { readonly missing?: string | undefined },
  target: () => SqlTarget,
  elsewhere?: (name: string) => Promise<void>,
): void {
  describe(`SQL over ${over}`, needs(engine), () => {
    if (engine.missing !== undefined) return void test('the suite', () => {})
    const made = target()
    afterAll(() => made.sql.close())
    runSuite(sqlSuite, {
      target: made,
      test: (name, run) => test(name, elsewhere === undefined ? run : () => elsewhere(name)),
      skip: (name, reason) => test(name, skipped(reason), () => {}),
    })
  })
}
