/**
 * `npm test`: every check and every test. `npm test -- redis`: only the test files whose path below
 * test/ contains `redis`. Prints what a tool says only if it fails, then the skips by reason, and last
 * `N passed, N failed, N skipped`, in which each check counts as one.
 */
import { execFile } from 'node:child_process'
import { globSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startVitest, type TestCase, type TestModule } from 'vitest/node'

const tally = { passed: 0, failed: 0, skipped: 0 }
const part = process.argv[2]

const files = findTests(part ?? '')

if (part === undefined) await check()
// These test what has been built.
else if (files.some((file) => file.startsWith('test/packaging/'))) {
  await step('build', 'npm run --loglevel=error build')
}
await runTests(files)

console.log(`\n${tally.passed} passed, ${tally.failed} failed, ${tally.skipped} skipped`)
process.exitCode = tally.failed === 0 ? 0 : 1

async function check(): Promise<void> {
  const scratch = mkdtempSync(join(tmpdir(), 'dualport-'))
  try {
    await Promise.all([
      step('lint', 'biome ci --error-on-warnings --colors=off'),
      step('types', 'tsc -p .'),
      step('knip', 'knip'),
      step('knip, production', 'knip --production --strict'),
      step('build', `npm pack --loglevel=error --pack-destination ${scratch}`),
    ])
    const [tarball] = readdirSync(scratch)
    if (tarball === undefined) return
    await Promise.all([
      step('publint', `publint ${join(scratch, tarball)} --strict`),
      step('attw', `attw ${join(scratch, tarball)} --profile esm-only --format ascii`),
    ])
  } finally {
    rmSync(scratch, { recursive: true })
  }
}

async function step(name: string, command: string): Promise<void> {
  const [file = '', ...args] = command.split(' ')
  const started = performance.now()
  const output = await new Promise<string | undefined>((resolve) => {
    execFile(file, args, { maxBuffer: 2 ** 26 }, (error, stdout, stderr) => {
      resolve(error === null ? undefined : `${stdout}${stderr}` || error.message)
    })
  })
  const seconds = ((performance.now() - started) / 1000).toFixed(1)
  tally[output === undefined ? 'passed' : 'failed']++
  console.log(`${output === undefined ? '✓' : '✗'} ${name} (${seconds} s)`)
  if (output !== undefined) console.log(output)
}

function findTests(part: string): string[] {
  return globSync('**/*.test.ts', { cwd: 'test' })
    .filter((path) => path.includes(part))
    .map((path) => join('test', path))
}

async function runTests(files: readonly string[]): Promise<void> {
  if (files.length === 0) {
    console.log('✗ no test file below test/ has that in its path')
    tally.failed++
    return
  }
  const vitest = await startVitest('test', [...files], {
    watch: false,
    silent: 'passed-only',
    reporters: ['minimal'],
  })
  const reasons = new Map<string, number>()
  for (const module of vitest.state.getTestModules()) {
    tally.failed += errorsOutsideTests(module)
    for (const test of module.children.allTests()) {
      const { state } = test.result()
      const { report } = test.meta()
      if (report !== undefined) console.log(report)
      tally[state === 'pending' ? 'failed' : state]++
      if (state !== 'skipped') continue
      const reason = skipReason(test)
      reasons.set(reason, (reasons.get(reason) ?? 0) + 1)
    }
  }
  tally.failed += vitest.state.getUnhandledErrors().length
  await vitest.close()

  if (reasons.size > 0) console.log('SKIPPED')
  for (const [reason, count] of reasons) console.log(`${String(count).padStart(5)}  ${reason}`)
}

/** A file that does not load, or a hook of a suite that fails. */
function errorsOutsideTests(module: TestModule): number {
  let errors = module.errors().length
  for (const suite of module.children.allSuites()) errors += suite.errors().length
  return errors
}

/** As `skipped(reason)` of test/engines or `context.skip(reason)` says it. */
function skipReason(test: TestCase): string {
  const result = test.result()
  const note = result.state === 'skipped' ? result.note : undefined
  return note ?? test.meta().skipReason ?? 'no reason given'
}
