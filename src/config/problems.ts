import { InfraError } from '../core/index.ts'

/** What is wrong with a configuration, collected so that all of it is reported at once. */
export class Problems {
  readonly #fixes = new Map<string, string>()

  get count(): number {
    return this.#fixes.size
  }

  /** `REDIS_URL: set it` */
  get lines(): string[] {
    return Array.from(this.#fixes, ([name, fix]) => `${name}: ${fix}`)
  }

  /**
   * `name` is the variable's, `fix` what to do about it; neither ever holds a value. One fix for each
   * variable: the first, since later ones may only follow from it.
   */
  add(name: string, fix: string): void {
    if (!this.#fixes.has(name)) this.#fixes.set(name, fix)
  }
}

/**
 * A configuration that cannot be right: `CONFIG_CONFIG`. Its message has one line for each problem, which
 * names the variable and the fix, and never a value.
 */
export class ConfigError extends InfraError {
  /** `REDIS_TOKEN: set it, since REDIS_URL is over HTTP` */
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    super({
      kind: 'config',
      component: 'config',
      adapter: '-',
      operation: 'read',
      detail: problems.join('\n'),
    })
    this.problems = problems
  }
}
