import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { downloaded, tool } from './download.ts'

const recipe = new URL('ferretdb/', import.meta.url)
/** What FerretDB's own go.mod asks for. */
const oldestGo = 24
const newerGo = 'go1.24.11'

/** The path of a FerretDB that listens at `ADDRESS` and keeps its SQLite files in `DIRECTORY`: its two arguments. */
export async function ferretdb(): Promise<string> {
  const directory = await downloaded(recipe, async (directory) => {
    await go(await compiler(), ['build', '-trimpath', '-o', join(directory, 'ferretdb'), '.'])
  })
  return join(directory, 'ferretdb')
}

/** The Go that is installed or, where that is too old, as on Debian 12, a newer one that it fetches as a module. */
async function compiler(): Promise<string> {
  const [version, os, arch] = (await go('go', ['env', 'GOVERSION', 'GOOS', 'GOARCH'])).split('\n')
  if (Number(version?.split('.')[1]) >= oldestGo) return 'go'
  const module = `golang.org/toolchain@v0.0.1-${newerGo}.${os}-${arch}`
  // Elsewhere: the old one cannot read the recipe's go.mod.
  const reply = await go('go', ['mod', 'download', '-json', module], tmpdir())
  const { Dir: root } = JSON.parse(reply) as { Dir: string }
  // A module's files are read-only, and cannot be run nor be called go.mod: what Go 1.21 does by itself.
  const usable = 'chmod +x bin/* pkg/tool/*/* && chmod u+w src && cp src/_go.mod src/go.mod'
  await tool('sh', ['-c', usable], { cwd: root })
  return join(root, 'bin/go')
}

function go(command: string, args: readonly string[], cwd: URL | string = recipe): Promise<string> {
  return tool(command, args, {
    cwd,
    // The user's own settings do not matter, nor whether this is a checkout of git.
    env: { GOTOOLCHAIN: 'local', GOFLAGS: '-buildvcs=false', GOWORK: 'off', CGO_ENABLED: '0' },
  })
}
