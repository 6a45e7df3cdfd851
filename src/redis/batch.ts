import { type CallOptions, DriverFailure, type ItemResult, summarise } from '../core/index.ts'
import {
  type CommandOptions,
  type Commands,
  commands,
  raw,
  type Spec,
  type Value,
} from './commands.ts'
import type { Reply } from './driver.ts'

/** What a command gives. */
export type Result<S> = S extends Spec<infer T> ? T : never

/** Any of `commands`: none has more than four parameters. */
export type Make = (a: unknown, b: unknown, c: unknown, d: unknown) => Spec

/** Each command of `commands` as a method that adds it to a batch, and its result's type to the batch's. */
type BatchMethods<T extends unknown[]> = {
  [K in keyof Commands]: (
    ...args: Parameters<Commands[K]>
  ) => BatchOf<[...T, Result<ReturnType<Commands[K]>>]>
}

/** The results in order, each with its own success or failure. */
export type Settled<T extends unknown[]> = { [I in keyof T]: ItemResult<T[I]> }

export interface BatchOf<T extends unknown[]> extends BatchMethods<T> {
  /** Adds any command; see `Redis.command`. */
  command(
    args: readonly Value[],
    options?: Omit<CommandOptions, keyof CallOptions>,
  ): BatchOf<[...T, Reply]>
  /** How many commands there are so far. */
  readonly length: number
  /**
   * Runs the commands together and gives their results in order.
   * @throws InfraError if any failed: its `outcome` is `partial` if some were applied, and `items` has
   *   the fate of each.
   */
  exec(options?: CallOptions): Promise<T>
  /** As `exec`, but a command that failed is a value in its place. Rejects only if nothing is known of any. */
  settle(options?: CallOptions): Promise<Settled<T>>
}

/** What a batch needs of its client. */
export interface Runner {
  add(make: () => Spec): Spec
  run<T>(
    specs: readonly Spec[],
    atomic: boolean,
    options: CallOptions | undefined,
    decode: (items: ItemResult[]) => T,
  ): Promise<T>
}

/** @internal `BatchOf` without its types. */
export class Batch {
  readonly #runner: Runner
  readonly #atomic: boolean
  readonly #specs: Spec[] = []

  static {
    const methods = Batch.prototype as unknown as Record<string, unknown>
    for (const [name, make] of Object.entries(commands) as [string, Make][]) {
      methods[name] = function (this: Batch, a: unknown, b: unknown, c: unknown, d: unknown) {
        return this.#add(() => make(a, b, c, d))
      }
    }
  }

  constructor(runner: Runner, atomic: boolean) {
    this.#runner = runner
    this.#atomic = atomic
  }

  get length(): number {
    return this.#specs.length
  }

  command(args: readonly Value[], options?: Omit<CommandOptions, keyof CallOptions>): this {
    return this.#add(() => raw(args, options))
  }

  exec(options?: CallOptions): Promise<unknown[]> {
    return this.#run(options, (items) => {
      const isWrite = (i: number) => this.#specs[i]?.operation.write === true
      const failure = summarise(items, 'commands', isWrite)
      if (failure !== undefined) throw new DriverFailure(failure)
      return items.map((item) => (item as { value: unknown }).value)
    })
  }

  settle(options?: CallOptions): Promise<ItemResult[]> {
    return this.#run(options, (items) => items)
  }

  #add(make: () => Spec): this {
    this.#specs.push(this.#runner.add(make))
    return this
  }

  #run<T>(options: CallOptions | undefined, decode: (items: ItemResult[]) => T): Promise<T> {
    const specs = this.#specs.slice()
    if (specs.length === 0) return Promise.resolve(decode([]))
    return this.#runner.run(specs, this.#atomic, options, decode)
  }
}
