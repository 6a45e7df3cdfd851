/**
 * `npm run build:lambda`: lambda.zip, to be uploaded as it is: runtime nodejs22.x or later, handler
 * `index.handler`. It carries the adapters that the environment configures, redis/ioredis if it configures
 * none; `npm run build:lambda -- redis/ioredis redis/rest` names them instead.
 */
import { existsSync, writeFileSync } from 'node:fs'
import { basename, dirname, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build, type Plugin } from 'esbuild'
import { zipSync } from 'fflate'
import { createInfrastructure } from '../src/config/auto.node.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
/** The health endpoint. */
export const lambdaEntry = new URL('../src/runtimes/lambda.ts', import.meta.url)

/** One file of JavaScript with all that the entry needs. `adapters`: `['redis/ioredis']`. */
export async function bundleLambda(entry: URL, adapters: readonly string[]): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(entry)],
    absWorkingDir: root,
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'node',
    target: 'node22',
    minify: true,
    // Drivers are CommonJS and require Node's own modules.
    banner: {
      js: "import{createRequire}from'node:module';const require=createRequire(import.meta.url);",
    },
    plugins: [only(adapters)],
  })
  return outputFiles[0]?.text ?? ''
}

/** Of our adapters takes the named ones alone, with their drivers, and of the portable clients those that they serve. */
function only(adapters: readonly string[]): Plugin {
  const carried = new Set(adapters.flatMap(backendsOf))
  return {
    name: 'only',
    setup({ onLoad }) {
      const config = new RegExp(`[\\\\/]src[\\\\/]config[\\\\/](${backends.join('|')})\\.ts$`)
      onLoad({ filter: config }, async ({ path }) => {
        const name = basename(path, '.ts')
        if (carried.has(name)) return undefined
        return { contents: await absentBackend(name), resolveDir: dirname(path), loader: 'ts' }
      })
      onLoad({ filter: /[\\/]adapters[\\/]\w+[\\/][\w-]+([\\/]optional)?\.ts$/ }, ({ path }) => {
        const adapter = relative(resolve(root, 'adapters'), path)
          .replaceAll('\\', '/')
          .replace(/(\/optional)?\.ts$/, '')
        if (adapters.includes(adapter)) return undefined
        return { contents: absent(adapter), resolveDir: dirname(path), loader: 'ts' }
      })
    },
  }
}

const backends = ['redis', 'kafka', 'mongodb', 'keyvault', 'mysql', 'sqlserver', 'scylladb']

/** What the adapter is for, as the configuration names it: `sql/mysql2` is for `mysql`. */
function backendsOf(adapter: string): readonly string[] {
  const [component, name] = adapter.split('/') as [string, string]
  if (component !== 'sql') return [component]
  if (name === 'memory') return ['mysql', 'sqlserver']
  return name === 'mysql2' || name === 'planetscale' ? ['mysql'] : ['sqlserver']
}

/** Says, to whoever configures it all the same, that the zip must be built for it. */
async function absentBackend(name: string): Promise<string> {
  const module = (await import(`../src/config/${name}.ts`)) as Record<
    string,
    (adapters: object) => { readonly [part: string]: unknown }
  >
  const { variables, ambient, fields } = module[`${name}Backend`]?.({}) ?? {}
  const [[first]] = Object.values(variables as object) as [[string]]
  return `
    export function ${name}Backend() {
      return {
        ...${JSON.stringify({ variables, ambient, fields })},
        componentType: 'component',
        embedded: undefined,
        configure(settings, problems) {
          problems.add('${first}', 'build the zip with it set; this one carries no client of ${name}')
        },
      }
    }
  `
}

function absent(adapter: string): string {
  const [component, name] = adapter.split('/') as [string, string]
  const factory = name.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase())
  return `
    import { InfraError } from '${root}src/core/index.ts'
    export function ${factory}() {
      throw new InfraError({
        kind: 'config',
        component: '${component}',
        adapter: '${name}',
        operation: 'configure',
        detail: 'the zip does not carry this adapter; build it by: npm run build:lambda -- ${adapter}',
      })
    }
  `
}

/** The same bytes for the same code, whenever they are made. */
export function zip(code: string): Uint8Array {
  const readable = 0o644 << 16
  return zipSync(
    { 'index.mjs': [new TextEncoder().encode(code), { os: 3, attrs: readable }] },
    { level: 9, mtime: '1980-01-01' },
  )
}

/** What `process.env` configures. */
function configured(): string[] {
  const described = Object.entries(createInfrastructure(process.env).describe())
  if (described.length === 0) return ['redis/ioredis']
  return described.map(([name, { adapter }]) => {
    const component = name === 'mysql' || name === 'sqlserver' ? 'sql' : name
    return `${component}/${adapter}`
  })
}

async function main(named: readonly string[]): Promise<void> {
  const unknown = named.find((adapter) => !existsSync(resolve(root, 'adapters', `${adapter}.ts`)))
  if (unknown !== undefined) throw new Error(`there is no adapter ${unknown}`)
  const adapters = named.length > 0 ? named : configured()
  const code = await bundleLambda(lambdaEntry, adapters)
  const bytes = zip(code)
  writeFileSync(resolve(root, 'lambda.zip'), bytes)
  const kilobytes = (size: number) => `${(size / 1024).toFixed(0)} KB`
  console.log(`lambda.zip: ${kilobytes(bytes.length)}, unpacked ${kilobytes(code.length)}`)
  console.log(`adapters: ${adapters.join(', ')}`)
}

if (import.meta.main) {
  try {
    await main(process.argv.slice(2))
  } catch (error) {
    console.error(`build:lambda: ${(error as Error).message}`)
    process.exit(1)
  }
}
