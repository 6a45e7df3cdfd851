import { expect, onTestFinished, test } from 'vitest'
import { mongodb } from '../../adapters/mongodb/mongodb.ts'
import { MongoDB } from '../../src/mongodb/index.ts'
import { engine, needs } from '../engines/index.ts'

const server = await engine('mongodb-process')

function connect(password: () => string | Promise<string>): MongoDB {
  const driver = mongodb({ host: '127.0.0.1', port: server.port, username: 'user', password })
  const client = new MongoDB(driver, { logger: false, retry: false })
  onTestFinished(() => client.close())
  return client
}

test(
  'a password function is asked once it is needed, and again when its answer was refused',
  needs(server),
  async () => {
    let asked = 0
    const client = connect(async () => `wrong-${asked++}`)
    expect(asked).toBe(0)
    const insert = () => client.database().collection('a').insertOne({})
    // FerretDB, which has no users here, refuses every password; a MongoDB refuses a wrong one.
    for (const times of [1, 2]) {
      await expect(insert()).rejects.toMatchObject({
        kind: 'unauthenticated',
        outcome: 'not-applied',
        message: expect.not.stringContaining('wrong'),
      })
      expect(asked).toBe(times)
    }
  },
)

test(
  'a password function that fails: nothing was sent, and its words are not in the error',
  needs(server),
  async () => {
    const client = connect(() => {
      throw new Error('secret')
    })
    const error = await client.health().catch((error: unknown) => error)
    expect(error).toMatchObject({
      kind: 'unavailable',
      message: expect.not.stringContaining('secret'),
    })
  },
)
