import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, readlink, rename, rm, symlink } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { EngineMissing } from './process.ts'

const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'dualport/engines')

/**
 * The directory below the user's cache that holds what `fetch` makes of `recipe`, a directory of this
 * project. It is made once, and anew when the recipe changes; whoever asks in the meantime waits.
 */
export async function downloaded(
  recipe: URL,
  fetch: (directory: string) => Promise<void>,
): Promise<string> {
  const target = join(cache, await keyOf(recipe))
  await mkdir(cache, { recursive: true })
  while (!existsSync(target)) {
    if (await lock(target)) {
      try {
        if (!existsSync(target)) await make(target, fetch)
      } finally {
        await rm(`${target}.lock`, { force: true })
      }
    } else {
      await sleep(100)
    }
  }
  return target
}

/** `kafka-1f0c2ab9`: the recipe's name, and a digest of its files. */
async function keyOf(recipe: URL): Promise<string> {
  const digest = createHash('sha256')
  for (const file of (await readdir(recipe)).sort()) {
    digest.update(await readFile(new URL(file, recipe)))
  }
  const name = recipe.pathname.split('/').at(-2)
  return `${name}-${digest.digest('hex').slice(0, 8)}`
}

/** A directory under the target's name is always whole: it is made under another one. */
async function make(target: string, fetch: (directory: string) => Promise<void>): Promise<void> {
  const unfinished = `${target}.${process.pid}`
  try {
    await mkdir(unfinished)
    await fetch(unfinished)
    await rename(unfinished, target)
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true })
    // Two may both have broken the lock of a dead process; one of them is first.
    if (!existsSync(target)) throw error
  }
}

/** The lock is a link to the id of the process that holds it: made in one step, and broken when that is gone. */
async function lock(target: string): Promise<boolean> {
  const path = `${target}.lock`
  try {
    await symlink(`${process.pid}`, path)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
  const holder = await readlink(path).catch(() => undefined)
  if (holder !== undefined && !runs(Number(holder))) {
    await rm(`${target}.${holder}`, { recursive: true, force: true })
    await rm(path, { force: true })
  }
  return false
}

function runs(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

const exec = promisify(execFile)

/** Runs a tool that fetches. An engine is missing where the tool is, or where it fails. */
export async function tool(
  command: string,
  args: readonly string[],
  options: { readonly cwd: URL | string; readonly env?: Readonly<Record<string, string>> },
): Promise<string> {
  const env = { ...process.env, ...options.env }
  try {
    const { stdout } = await exec(command, args, { ...options, env, maxBuffer: 2 ** 26 })
    return stdout.trim()
  } catch (error) {
    const { code, stdout, stderr } = error as { code?: unknown; stdout?: string; stderr?: string }
    if (code === 'ENOENT') throw new EngineMissing(`${command} is not installed`)
    throw new EngineMissing(`${command} ${args[0]} failed\n${stdout ?? ''}${stderr ?? ''}`.trim())
  }
}

/** The directory of the jars that a recipe's pom.xml names, and of those that they need. */
export async function mavenJars(recipe: URL): Promise<string> {
  return downloaded(recipe, async (directory) => {
    const copy = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies'
    const args = ['--quiet', '--batch-mode', copy, `-DoutputDirectory=${directory}`]
    await tool('mvn', args, { cwd: fileURLToPath(recipe) })
  })
}
