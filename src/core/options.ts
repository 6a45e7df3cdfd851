import { DriverFailure } from './driver.ts'

const callOptions = ['signal', 'timeoutMs', 'correlationId']

/**
 * @internal A misspelt option is an error, not a surprise. `names` are those beside what every call takes.
 * @throws DriverFailure of kind `invalid`
 */
export function known<O extends object>(options: O | undefined, ...names: string[]): O | undefined {
  if (options === undefined) return undefined
  if (typeof options !== 'object' || options === null)
    throw invalid('the options are not an object')
  for (const name of Object.keys(options)) {
    if (!callOptions.includes(name) && !names.includes(name)) {
      // The name is the programmer's, not data; still, it could be a pasted value.
      throw invalid(/^[A-Za-z]{1,32}$/.test(name) ? `unknown option ${name}` : 'an unknown option')
    }
  }
  return options
}

function invalid(detail: string): DriverFailure {
  return new DriverFailure({ kind: 'invalid', outcome: 'not-applied', detail })
}
