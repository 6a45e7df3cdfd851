import { describe, test } from 'vitest'
import { type HealthTarget, healthSuite, runSuite } from '../../src/testing/index.ts'
import { skipped } from '../engines/index.ts'

/** Every case as a test of its own; `elsewhere` runs the case of that name in another runtime. */
export function suite(
  how: string,
  target: HealthTarget,
  elsewhere?: (name: string) => Promise<void>,
): void {
  describe(`health ${how}`, () => {
    runSuite(healthSuite, {
      target,
      test: (name, run) => test(name, elsewhere === undefined ? run : () => elsewhere(name)),
      skip: (name, reason) => test(name, skipped(reason), () => {}),
    })
  })
}
