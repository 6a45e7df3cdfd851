/** The names of the capabilities that are there or not. */
type Flag<Capabilities> = {
  [K in keyof Capabilities]: Capabilities[K] extends boolean ? K : never
}[keyof Capabilities] &
  string

/** One thing that users notice, alike over every adapter. */
export interface Case<Fixture, Capabilities> {
  /** Unique in its suite. */
  readonly name: string
  /** Skipped, with this as the reason, where one of them is missing. */
  readonly needs?: readonly Flag<Capabilities>[]
  /** What holds only where the capability is missing; elsewhere the case does not exist. */
  readonly without?: Flag<Capabilities>
  run(fixture: Fixture): Promise<void>
}

/** The cases of one backend, and what each of them is given. */
export interface Suite<Target, Fixture, Capabilities> {
  readonly name: string
  readonly cases: readonly Case<Fixture, Capabilities>[]
  capabilities(target: Target): Capabilities
  /** Made for each run of a case, so that no case sees what another one left. */
  setUp(target: Target): Fixture
  tearDown(fixture: Fixture): Promise<void>
}

/** What a suite asks of a test runner. */
export interface Runner<Target> {
  readonly target: Target
  test(name: string, run: () => Promise<void>): void
  skip(name: string, reason: string): void
}

/** Hands every case to the test runner. */
export function runSuite<Target, Fixture, Capabilities>(
  suite: Suite<Target, Fixture, Capabilities>,
  { target, test, skip }: Runner<Target>,
): void {
  const capabilities = suite.capabilities(target)
  for (const each of suite.cases) {
    if (each.without !== undefined && capabilities[each.without]) continue
    const missing = each.needs?.find((need) => !capabilities[need])
    if (missing !== undefined) skip(each.name, `the adapter lacks the capability ${missing}`)
    else test(each.name, () => runCase(suite, each, target))
  }
}

/** Runs one case, whatever its needs. */
export async function runCase<Target, Fixture, Capabilities>(
  suite: Suite<Target, Fixture, Capabilities>,
  { run }: Case<Fixture, Capabilities>,
  target: Target,
): Promise<void> {
  const fixture = suite.setUp(target)
  try {
    await run(fixture)
  } finally {
    await suite.tearDown(fixture)
  }
}

/** The cases with the topic in front of their names. */
export function about<Fixture, Capabilities>(
  topic: string,
  cases: readonly Case<Fixture, Capabilities>[],
): Case<Fixture, Capabilities>[] {
  return cases.map((each) => ({ ...each, name: `${topic}: ${each.name}` }))
}
