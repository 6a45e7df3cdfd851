import { randomUUID } from 'node:crypto'
import { MongoClient } from 'mongodb'
import { afterAll } from 'vitest'

/** The name of a database of this test file's own at the server, dropped after the last test. */
export function ownDatabase({
  url,
  missing,
}: {
  readonly url: string
  readonly missing?: string
}): string {
  const name = `dualport-${randomUUID()}`
  if (missing === undefined) {
    afterAll(async () => {
      const client = new MongoClient(url)
      await client.db(name).dropDatabase()
      await client.close()
    })
  }
  return name
}
