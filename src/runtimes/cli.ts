#!/usr/bin/env node
import { parseArgs } from 'node:util'
import * as v from 'valibot'
import { ConfigError, createInfrastructure } from '../config/auto.node.ts'
import { isInfraError } from '../core/index.ts'
import type { HealthStatus } from '../health/index.ts'
import { version } from './version.ts'

const usage = `dualport serve        serves the gateway and the health endpoint: HOST, PORT, GATEWAY_TOKEN, REDIS_URL, ...
dualport check        checks the backends that the environment names: REDIS_URL, ...
dualport check URL    asks a health endpoint; HEALTH_TOKEN is sent if it is set

  --json              prints the result of a check as JSON
  --help, --version

A check exits with 0 if all is healthy, 1 if not, 2 if it was asked or configured wrongly.`

interface Findings {
  readonly status: HealthStatus
  readonly checks: Readonly<
    Record<
      string,
      {
        readonly status: HealthStatus
        readonly latencyMs?: number | undefined
        readonly error?: string | undefined
      }
    >
  >
}

/** For a whole check, connecting included. Milliseconds. */
const timeoutMs = 5000

/** Gives the exit code. */
async function main(args: string[]): Promise<number> {
  const asked = parse(args)
  if (asked === undefined) {
    console.error(usage)
    return 2
  }
  const { values, positionals } = asked
  const [command, url] = positionals
  if (values.help) console.log(usage)
  else if (values.version) console.log(version)
  else if (command === 'serve') await import('./serve.ts')
  else {
    const findings = url === undefined ? await checkBackends() : await checkEndpoint(url)
    console.log(values.json ? JSON.stringify(findings, null, 2) : table(findings))
    if (findings.status === 'unhealthy') return 1
  }
  return 0
}

function parse(args: string[]) {
  const flag = { type: 'boolean' } as const
  try {
    const options = { json: flag, help: { ...flag, short: 'h' }, version: flag } as const
    const { values, positionals } = parseArgs({ args, options, allowPositionals: true })
    const [command, ...rest] = positionals
    const most = command === 'check' ? 1 : 0
    const isKnown = command === 'serve' || command === 'check' || values.help || values.version
    return isKnown && rest.length <= most ? { values, positionals } : undefined
  } catch {
    return undefined
  }
}

async function checkBackends(): Promise<Findings> {
  const infra = createInfrastructure(process.env, { logger: false, timeoutMs })
  if (Object.keys(infra.describe()).length === 0) {
    throw new ConfigError(['REDIS_URL: set it; no backend is configured'])
  }
  // Says why in words, where a check only has a code; and what is measured afterwards is no connecting.
  await infra.warm().catch((error) => {
    if (!isInfraError(error)) throw error
    console.error(`dualport: ${error.message}`)
  })
  const { status, checks } = await infra.health.setTimeout(timeoutMs).report()
  // What does not close ends with the process.
  await infra.close().catch(() => {})
  return { status, checks }
}

/** What others write must not steer the terminal. */
const printable = v.pipe(
  v.string(),
  v.transform((text) => text.replace(/[^\x20-\x7e]/g, '?').slice(0, 200)),
)
const statuses = { pass: 'healthy', warn: 'degraded', fail: 'unhealthy' } as const
const status = v.pipe(
  v.picklist(['pass', 'warn', 'fail']),
  v.transform((word) => statuses[word]),
)
const milliseconds = v.fallback(v.optional(v.number()), undefined)
const check = v.object({ status, observedValue: milliseconds, output: v.optional(printable) })
/** draft-inadarei-api-health-check-06 */
const healthJson = v.object({
  status,
  checks: v.optional(v.record(printable, v.looseTuple([check])), {}),
})

async function checkEndpoint(given: string): Promise<Findings> {
  const url = URL.canParse(given) ? new URL(given) : undefined
  if (!/^https?:\/\/[^@]+$/.test(url?.href ?? '')) {
    throw new ConfigError(['URL: give it http://host/health, or https, without credentials'])
  }
  const token = process.env.HEALTH_TOKEN
  if (token !== undefined && !/^[\x21-\x7e]+$/.test(token)) {
    throw new ConfigError(['HEALTH_TOKEN: give it printable ASCII without spaces, or unset it'])
  }
  const startedAt = performance.now()
  const endpoint = (status: HealthStatus, error?: string) => ({
    status,
    latencyMs: Math.round(performance.now() - startedAt),
    error,
  })
  try {
    const response = await fetch(given, {
      headers: {
        accept: 'application/health+json',
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
      },
      signal: AbortSignal.timeout(timeoutMs),
    })
    const body = v.safeParse(healthJson, await response.json().catch(() => undefined))
    const { status, checks } = body.success
      ? body.output
      : ({ status: 'healthy', checks: {} } as const)
    const overall = response.ok ? status : 'unhealthy'
    const error = response.ok ? undefined : `HTTP ${response.status}`
    const components = Object.entries(checks).map(([name, [{ status, observedValue, output }]]) => [
      name.replace(/:responseTime$/, ''),
      { status, latencyMs: observedValue, error: output },
    ])
    return {
      status: overall,
      checks: { endpoint: endpoint(overall, error), ...Object.fromEntries(components) },
    }
  } catch {
    return { status: 'unhealthy', checks: { endpoint: endpoint('unhealthy', 'no answer') } }
  }
}

function table({ checks }: Findings): string {
  const width = Math.max(...Object.keys(checks).map((name) => name.length))
  return Object.entries(checks)
    .map(([name, { status, latencyMs, error = '' }]) => {
      const latency = latencyMs === undefined ? '' : `${latencyMs} ms`
      return `${name.padEnd(width)}  ${status.padEnd(9)}  ${latency.padStart(9)}  ${error}`.trimEnd()
    })
    .join('\n')
}

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  if (!(error instanceof ConfigError)) throw error
  for (const problem of error.problems) console.error(`dualport: ${problem}`)
  process.exitCode = 2
}
