import { inject } from 'vitest'
import { EngineMissing } from './process.ts'
import type { SharedEngine } from './setup.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** Where setup.ts answers. */
    engines: string
  }
}

/** The address of an engine that all test files share. The first who asks has it started. */
export async function shared(engine: SharedEngine): Promise<string> {
  const response = await fetch(`${inject('engines')}/${engine}`)
  const text = await response.text()
  if (response.status === 404) throw new EngineMissing(text)
  if (!response.ok) throw new Error(text)
  return text
}
