import { execFile } from 'node:child_process'
import { globSync } from 'node:fs'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { promisify } from 'node:util'
import manifest from '../../package.json' with { type: 'json' }

const run = promisify(execFile)

/** `dualport`, `dualport/redis`, ... */
export const entries = Object.keys(manifest.exports)
  .filter((path) => path !== './package.json')
  .map((path) => path.replace('.', manifest.name))

/** A user's project outside of ours: an empty directory into which the tarball has been installed. */
export class Project {
  readonly directory: string

  constructor(directory: string) {
    this.directory = directory
  }

  async write(file: string, text: string): Promise<void> {
    await mkdir(dirname(join(this.directory, file)), { recursive: true })
    await writeFile(join(this.directory, file), text)
  }

  /** Runs a command there and gives its standard output. Rejects, with all output, if it fails. */
  async run(
    command: string,
    args: readonly string[],
    env: NodeJS.ProcessEnv = {},
  ): Promise<string> {
    const settings = { cwd: this.directory, env: { ...process.env, ...env } }
    try {
      return (await run(command, args, settings)).stdout
    } catch (error) {
      const { message, stdout } = error as Error & { stdout: string }
      throw new Error(`${message}\n${stdout}`)
    }
  }

  /** Runs a module and gives the value that it prints as JSON. */
  async evaluate(code: string): Promise<unknown> {
    const output = await this.run(process.execPath, ['--input-type=module', '--eval', code])
    return JSON.parse(output)
  }

  /** Makes packages available there that are installed here. */
  async link(...packages: readonly string[]): Promise<void> {
    for (const name of packages) {
      const path = join(this.directory, 'node_modules', name)
      await mkdir(dirname(path), { recursive: true })
      await symlink(resolve('node_modules', name), path)
    }
  }

  async remove(): Promise<void> {
    await rm(this.directory, { recursive: true })
  }
}

/** Packs what has been built (`npm run build`) and installs it, as a user would, without a network. */
export async function installPackage(): Promise<Project> {
  const directory = await mkdtemp(join(tmpdir(), 'dualport-'))
  const project = new Project(directory)
  const quiet = ['--loglevel=error', '--ignore-scripts']
  await run('npm', ['pack', ...quiet, '--pack-destination', directory])
  const [tarball] = globSync('*.tgz', { cwd: directory })
  await project.write('package.json', '{ "private": true, "type": "module" }')
  await project.run('npm', ['install', ...quiet, '--offline', '--no-audit', `./${tarball}`])
  return project
}
