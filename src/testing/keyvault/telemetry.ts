import { withContext } from '../../core/index.ts'
import { equal, ok, rejects } from '../assert.ts'
import { collectLines, collectMetrics, collectSpans, type Line } from '../collect.ts'
import { type KeyVaultCase, missing } from './fixture.ts'

export const telemetry: readonly KeyVaultCase[] = [
  {
    name: 'a failure is logged with all that helps to find it',
    async run({ create, name }) {
      const { lines, logger } = collectLines()
      const keyvault = create({ logger })
      await keyvault.setSecret(name('a'), 'one')
      equal(lines, [], 'the lines of a success')
      await rejects(keyvault.getSecret(name(), { correlationId: 'request-7' }), missing)
      equal(lines.length, 1, 'the number of lines')
      const { level, message, record } = lines[0] as Line
      equal([level, message], ['warn', 'operation_failed'])
      const { durationMs, resource, ...rest } = record
      // Not above 0: in workerd the clock stands still between one I/O and the next.
      ok(durationMs >= 0, `the duration is ${durationMs}`)
      equal(resource, keyvault.resource)
      equal(rest, {
        component: 'keyvault',
        adapter: keyvault.adapter,
        operation: 'getSecret',
        attempts: 1,
        correlationId: 'request-7',
        outcome: 'not-applied',
        code: 'KEYVAULT_NOT_FOUND',
        kind: 'not-found',
        retryable: false,
      })
    },
  },
  {
    name: 'successes are logged on request, each page of a list for itself',
    async run({ create, name }) {
      const { lines, logger } = collectLines()
      const keyvault = create({ logger, logSuccess: true })
      await keyvault.setSecret(name(), 'one')
      await keyvault.getSecret(name(), { correlationId: 'request-8' })
      await keyvault.listVersions(name()).page()
      equal(
        lines.map(({ level, message, record }) => [level, message, record.operation]),
        ['setSecret', 'getSecret', 'listVersions'].map((operation) => [
          'info',
          'operation_completed',
          operation,
        ]),
      )
      equal(lines[1]?.record.correlationId, 'request-8')
    },
  },
  {
    name: 'the correlation ID of the context reaches the log, and the call’s own comes first',
    async run({ create, name }) {
      const { lines, logger } = collectLines()
      const keyvault = create({ logger, logSuccess: true })
      await keyvault.setSecret(name(), 'one')
      await withContext({ correlationId: 'outer' }, async () => {
        await keyvault.getSecret(name())
        await keyvault.getSecret(name(), { correlationId: 'own' })
        await keyvault.getSecrets([name()])
      })
      equal(
        lines.map(({ record }) => record.correlationId),
        [undefined, 'outer', 'own', 'outer'],
      )
    },
  },
  {
    name: 'each operation’s duration is observed in seconds, each failure counted by its code',
    async run({ create, name }) {
      const { observed, metrics } = collectMetrics()
      const keyvault = create({ metrics })
      await keyvault.setSecret(name('a'), 'one')
      await rejects(keyvault.getSecret(name()), missing)
      await rejects(keyvault.getSecret(''), { kind: 'invalid' })
      const durations = observed.filter(({ type }) => type === 'histogram')
      equal(
        durations.map(({ name, labels }) => [name, labels]),
        ['setSecret', 'getSecret', 'getSecret'].map((operation) => [
          'keyvault_operation_duration_seconds',
          { operation },
        ]),
      )
      for (const { value } of durations) ok(value >= 0 && value < 60, `${value} seconds`)
      equal(
        observed
          .filter(({ type }) => type === 'counter')
          .map(({ name, labels, value }) => [name, labels, value]),
        ['KEYVAULT_NOT_FOUND', 'KEYVAULT_INVALID'].map((code) => [
          'keyvault_errors_total',
          { operation: 'getSecret', code },
          1,
        ]),
      )
    },
  },
  {
    name: 'a span covers each operation and ends with its code',
    async run({ create, name }) {
      const { spans, tracer } = collectSpans()
      const keyvault = create({ tracer })
      await keyvault.setSecret(name('a'), 'one')
      await rejects(keyvault.getSecret(name()), missing)
      equal(spans, [
        ['keyvault setSecret', 'setSecret', undefined],
        ['keyvault getSecret', 'getSecret', 'KEYVAULT_NOT_FOUND'],
      ])
    },
  },
]
