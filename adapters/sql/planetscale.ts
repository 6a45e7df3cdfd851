import type { SqlDriver } from '../../src/sql/index.ts'
import { notInstalled, PlanetscaleDriver } from './planetscale/driver.ts'
import type { PlanetscaleOptions } from './planetscale/options.ts'

export type { PlanetscaleOptions } from './planetscale/options.ts'

/**
 * MySQL over HTTP by PlanetScale's protocol: dualport's gateway, and PlanetScale itself. Through
 * `@planetscale/database` (`npm install @planetscale/database`), loaded on first use. Needs nothing but `fetch`, so
 * it runs everywhere; it holds no connection, so that it may live at module level in a Worker.
 *
 * Values are put into the text, since the protocol has no parameters: by the client's own `format`, which is safe
 * where `\` escapes and texts are UTF-8. The server is asked once whether that is so, and refused if not (kind
 * `config`). Whole replies are read: no streams. Whoever stops waiting ends the request: our gateway then stops
 * the statement at the engine; whether PlanetScale does is not known, nor whether it heeds `isolation`.
 * @throws InfraError `SQL_CONFIG` for malformed options
 */
export function planetscale(options: PlanetscaleOptions): SqlDriver {
  return new PlanetscaleDriver(options, loadSdk)
}

async function loadSdk() {
  // Bundlers look for the `try` around it.
  try {
    return await import('@planetscale/database')
  } catch (cause) {
    throw notInstalled(cause)
  }
}
