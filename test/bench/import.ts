import { execFile, execFileSync } from 'node:child_process'
import { globSync, statSync } from 'node:fs'
import { promisify } from 'node:util'
import { type Figure, inTurns } from './figure.ts'

const run = promisify(execFile)

export const figures: Figure[] = [
  'dualport',
  'dualport/redis',
  'dualport/kafka',
  'dualport/mongodb',
  'dualport/sql',
  'dualport/scylladb',
  'dualport/keyvault',
  'dualport/health',
].flatMap((entry): Figure[] => {
  const name = `import.${entry.split('/').at(-1)}`
  const bare = 'an empty module'
  return [
    {
      name,
      bare,
      unit: 'ms',
      comparison: 'difference',
      target: 5,
      async measure() {
        build()
        return inTurns(
          40,
          () => lifetime(`import '${entry}'`),
          () => lifetime(''),
        )
      },
    },
    {
      name: `${name}.drivers`,
      bare,
      unit: 'modules',
      comparison: 'total',
      target: 0,
      async measure() {
        build()
        return [{ dualport: await packageModules(`import '${entry}'`), bare: 0 }]
      },
    },
  ]
})

/** Makes sure that what is imported is what the source says now. */
export function build(): void {
  const modified = (pattern: string) => globSync(pattern).map((file) => statSync(file).mtimeMs)
  const sources = ['{src,adapters}/**/*.ts', 'package.json', 'ts*.{ts,json}'].flatMap(modified)
  const built = modified('dist/**/*.js')
  if (built.length > 0 && Math.max(...sources) < Math.min(...built)) return
  execFileSync('npm', ['run', '--loglevel=error', 'build'], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
}

/** Milliseconds from the start of a process that runs the module to its end. */
async function lifetime(module: string): Promise<number> {
  const started = performance.now()
  await run(process.execPath, ['--input-type=module', '--eval', module])
  return performance.now() - started
}

/** How many modules of packages the module loads, whether by `import` or by `require`. */
async function packageModules(module: string): Promise<number> {
  const { stdout } = await run(process.execPath, [
    ...['--input-type=module', '--import', `data:text/javascript,${encodeURIComponent(counter)}`],
    ...['--eval', module],
  ])
  return Number(stdout)
}

const counter = `
  import { registerHooks } from 'node:module'
  let count = 0
  registerHooks({
    load(url, context, next) {
      if (url.includes('/node_modules/')) count++
      return next(url, context)
    },
  })
  process.on('exit', () => console.log(count))
`
