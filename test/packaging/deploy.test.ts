import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import { afterAll, describe, expect, test } from 'vitest'
import { engine, needs } from '../engines/index.ts'
import { freePort, until } from '../engines/process.ts'
import { LambdaEnvironment } from '../runtimes/lambda-runtime.ts'
import { installPackage } from './project.ts'

const page = readFileSync('docs/deploy.md', 'utf8')
const run = promisify(execFile)
const server = await engine('redis-process')
const project = await installPackage()
afterAll(() => project.remove())

/** The shell block of the page that contains this and is marked as run by a test. */
function command(part: string): string {
  const blocks = [...page.matchAll(/^ *```sh run\n(.*?)^ *```$/gms)].map((match) =>
    match[1]!.trim(),
  )
  return blocks.find((block) => block.includes(part))!
}

/** The block of code of the page that contains this. */
function code(part: string): string {
  const blocks = [...page.matchAll(/^```ts\n(.*?)^```$/gms)].map((match) => match[1]!)
  return blocks.find((block) => block.includes(part))!
}

const env = { ...process.env, WRANGLER_SEND_METRICS: 'false', CI: 'true', REDIS_URL: undefined }

describe('docs/deploy.md', () => {
  test('every step that says so is run here', () => {
    const steps = ['deploy --dry-run', 'wrangler dev', 'build:lambda', 'esbuild']
    expect(page.match(/```sh run$/gm)).toHaveLength(steps.length)
    for (const step of steps) expect(command(step)).toBeDefined()
  })

  // `npm run build:lambda` is run, and its zip tried, by test/runtimes/lambda.test.ts.
  test('wrangler deploy --dry-run', async () => {
    await run('sh', ['-c', command('deploy --dry-run')], { env })
  })

  test('wrangler dev serves the endpoint', { timeout: 60_000 }, async () => {
    const port = await freePort()
    const line = `exec ${command('wrangler dev')} --port ${port} --inspector-port 0`
    const child = spawn('sh', ['-c', line], { env, stdio: 'ignore', detached: true })
    try {
      const url = `http://localhost:${port}/health`
      await until(async () => (await fetch(url)).status === 200, ending(child), 50_000)
      expect(await (await fetch(url)).json()).toEqual({ status: 'pass' })
    } finally {
      // npx, wrangler and workerd.
      process.kill(-child.pid!, 'SIGTERM')
      await once(child, 'exit')
    }
  })

  test('a Worker of your own, with the package as it is installed, is deployed', async () => {
    await project.write('src/worker.ts', code('dualport/worker'))
    await project.write(
      'wrangler.toml',
      'name = "mine"\nmain = "src/worker.ts"\ncompatibility_date = "2026-07-30"\n' +
        'compatibility_flags = ["nodejs_compat"]\n',
    )
    expect(
      await project.run('wrangler', ['deploy', '--dry-run'], {
        WRANGLER_SEND_METRICS: 'false',
        XDG_CONFIG_HOME: project.directory,
        CI: 'true',
      }),
    ).toContain('--dry-run: exiting now')
  })

  test('a function of your own, with the package as it is installed', needs(server), async () => {
    await project.link('ioredis')
    await project.write('handler.ts', code('lambdaHandler'))
    // The one that is installed here.
    await project.run('sh', ['-c', command('esbuild').replace('npx ', '')])
    await server.command('SET', 'device:7', 'on')
    const lambda = await LambdaEnvironment.start(project.directory, { REDIS_URL: server.url })
    try {
      expect(await lambda.invoke({ device: '7' })).toEqual({ state: 'on' })
    } finally {
      await lambda.stop()
    }
  })
})

function ending(child: ChildProcess): { readonly ended: AbortSignal } {
  const ended = new AbortController()
  child.once('exit', () => ended.abort())
  return { ended: ended.signal }
}
