import { describe, test } from 'vitest'
import { type KafkaTarget, kafkaSuite, runSuite } from '../../src/testing/index.ts'
import { needs, skipped } from '../engines/index.ts'

/**
 * Every case of the suite as a test of its own. `elsewhere` runs the case of that name in another runtime,
 * against the same adapter.
 */
export function conformance(
  over: string,
  engine: { readonly missing?: string | undefined },
  target: KafkaTarget,
  elsewhere?: (name: string) => Promise<void>,
): void {
  describe(`Kafka over ${over}`, { ...needs(engine), timeout: 60_000 }, () => {
    runSuite(kafkaSuite, {
      target,
      test: (name, run) => test(name, elsewhere === undefined ? run : () => elsewhere(name)),
      skip: (name, reason) => test(name, skipped(reason), () => {}),
    })
  })
}
