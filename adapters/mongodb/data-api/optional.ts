import type { MongoDriver } from '../../../src/mongodb/index.ts'
import { DataApiDriver, notInstalled } from './driver.ts'
import type { DataApiOptions } from './options.ts'

/** For an entry that is also of use without MongoDB: a bundler does without `bson` where it is not installed. */
export function dataApi(options: DataApiOptions): MongoDriver {
  return new DataApiDriver(options, loadBson)
}

async function loadBson() {
  // Bundlers look for the `try` around it.
  try {
    return await import('bson')
  } catch (cause) {
    throw notInstalled(cause)
  }
}
