import { describe, expect, test } from 'vitest'
import { engine, needs } from '../engines/index.ts'
import {
  eventually,
  type MongodbGateway,
  readOnlyToken,
  startMongodbGateway,
  token,
} from './mongodb-gateway.ts'

const server = await engine('mongodb')

/** A collection of documents numbered from 0, of about so many bytes each. */
async function numbers({ direct, database }: MongodbGateway, count: number, bytes = 0) {
  const name = `numbers${crypto.randomUUID().slice(0, 8)}`
  const filling = 'x'.repeat(bytes)
  const documents = Array.from({ length: count }, (_, _id) => ({ _id, filling }) as object)
  await direct.db(database).collection(name).insertMany(documents)
  return name
}

const first100 = { sort: { _id: 1 }, batchSize: 100 }

describe('cursors', needs(server), async () => {
  if (server.missing !== undefined) return
  const gateway = await startMongodbGateway(server.url)
  const { act, openCursors } = gateway
  const collection = await numbers(gateway, 250)
  const open = async (headers = {}) =>
    String((await act('find', collection, first100, headers)).body.cursor)

  test('every document comes once, page by page', async () => {
    let { body } = await act('find', collection, first100)
    const seen = [body.documents] as { _id: number }[][]
    while (body.cursor !== undefined) {
      body = (await act('nextPage', '', { cursor: body.cursor })).body
      seen.push(body.documents as { _id: number }[])
    }
    expect(seen.map((page) => page.length)).toEqual([100, 100, 50])
    expect(seen.flat().map(({ _id }) => _id)).toEqual(Array.from({ length: 250 }, (_, i) => i))
    expect(openCursors.size).toBe(0)
  })

  test('what fits one page has no cursor; an aggregate has pages too', async () => {
    expect((await act('find', collection, { batchSize: 251 })).body.cursor).toBeUndefined()
    expect((await act('find', collection, { batchSize: 100, limit: 50 })).body).toEqual({
      documents: expect.objectContaining({ length: 50 }),
    })
    const pipeline = [{ $match: { _id: { $gte: 100 } } }]
    const { body } = await act('aggregate', collection, { pipeline, batchSize: 100 })
    expect(body.documents).toHaveLength(100)
    const rest = await act('nextPage', '', { cursor: body.cursor })
    expect(rest.body.documents).toHaveLength(50)
  })

  test('one that is left half read is closed, at the engine as well', async () => {
    const cursor = await open()
    expect(openCursors.size).toBe(1)
    expect(await act('closeCursor', '', { cursor })).toMatchObject({ status: 200, body: {} })
    expect(openCursors.size).toBe(0)
    const after = await act('nextPage', '', { cursor })
    expect(after).toMatchObject({
      status: 404,
      body: { error: expect.stringContaining('gone'), error_code: 'MongoDBError', code: 43 },
    })
    expect(after.headers.get('dualport-error')).toBe('MONGODB_NOT_FOUND;not-applied')
  })

  test('IDs cannot be guessed, and are worth nothing to the other token', async () => {
    const [one, two] = [await open(), await open()]
    expect(new Set([one, two]).size).toBe(2)
    expect(one.length).toBeGreaterThan(30)
    const other = { authorization: `Bearer ${readOnlyToken}` }
    expect((await act('nextPage', '', { cursor: one }, other)).status).toBe(404)
    expect((await act('closeCursor', '', { cursor: one }, other)).status).toBe(404)
    expect((await act('nextPage', '', { cursor: one })).body.documents).toHaveLength(100)
    const theirs = await open(other)
    expect((await act('nextPage', '', { cursor: theirs })).status).toBe(404)
    expect((await act('nextPage', '', { cursor: theirs }, other)).status).toBe(200)
    for (const cursor of [one, two]) await act('closeCursor', '', { cursor })
    await act('closeCursor', '', { cursor: theirs }, other)
  })

  test.each<[string, { cursor?: unknown }, number]>([
    ['none', {}, 400],
    ['no text', { cursor: 1 }, 400],
    ['not one of ours', { cursor: 'x' }, 404],
    ['empty', { cursor: '' }, 404],
  ])('an ID that is %s', async (_, body, status) => {
    expect((await act('nextPage', '', body)).status).toBe(status)
  })

  test('another gateway process says where the cursor lives', async () => {
    const elsewhere = await startMongodbGateway(server.url)
    const cursor = await open()
    const { status, body } = await elsewhere.act('nextPage', '', { cursor })
    expect([status, body.error]).toEqual([404, expect.stringContaining('another gateway process')])
    await act('closeCursor', '', { cursor })
  })

  test('one that nobody reads is closed after a while', async () => {
    const impatient = await startMongodbGateway(server.url, { limits: { cursorIdleMs: 50 } })
    const collection = await numbers(impatient, 150)
    const { cursor } = (await impatient.act('find', collection, first100)).body
    expect(impatient.openCursors.size).toBe(1)
    await eventually(() => expect(impatient.openCursors.size).toBe(0))
    expect((await impatient.act('nextPage', '', { cursor })).status).toBe(404)
  })

  test('there are no more than may be; what fits one page still comes', async () => {
    const small = await startMongodbGateway(server.url, { limits: { cursors: 2 } })
    const collection = await numbers(small, 150)
    const ask = (batchSize = 100) => small.act('find', collection, { batchSize })
    const { cursor } = (await ask()).body
    await ask()
    const refused = await ask()
    expect(refused.status).toBe(429)
    expect(refused.headers.get('dualport-error')).toBe('MONGODB_THROTTLED;not-applied')
    expect(small.openCursors.size).toBe(2)
    expect((await ask(1000)).status).toBe(200)
    await small.act('closeCursor', '', { cursor })
    expect((await ask()).status).toBe(200)
  })

  test('when the gateway closes, so do its cursors', async () => {
    const closing = await startMongodbGateway(server.url)
    const collection = await numbers(closing, 150)
    await closing.act('find', collection, first100)
    expect(closing.openCursors.size).toBe(1)
    closing.gateway.close()
    await eventually(() => expect(closing.openCursors.size).toBe(0))
    expect((await closing.act('find', collection, first100)).status).toBe(503)
    expect(closing.openCursors.size).toBe(0)
  })

  test('a client that goes in the middle of a page leaves no cursor', async () => {
    const large = await numbers(gateway, 1500, 20_000)
    const leaving = new AbortController()
    const response = await gateway.request(
      'find',
      large,
      { batchSize: 700 },
      { signal: leaving.signal },
    )
    expect(openCursors.size).toBe(1)
    await response.body!.getReader().read()
    leaving.abort()
    await eventually(() => expect(openCursors.size).toBe(0))
  })

  test('of many documents at once, the engine is asked for no more than is read', async () => {
    const { database, pages } = gateway
    const many = await numbers(gateway, 10_000, 1000)
    const ask = () =>
      gateway.gateway.fetch(
        new Request('http://gateway/mongodb/action/find', {
          method: 'POST',
          headers: { authorization: `Bearer ${token}` },
          body: JSON.stringify({ database, collection: many, limit: 10_000 }),
        }),
      )
    const before = pages.asked
    const reader = (await ask()).body!.getReader()
    await reader.read()
    expect(pages.asked - before).toBe(1)
    await reader.cancel()
    await eventually(() => expect(openCursors.size).toBe(0))
    const { documents } = (await (await ask()).json()) as { documents: object[] }
    expect(documents).toHaveLength(10_000)
  })
})

describe('an engine that is slow', async () => {
  const server = await engine('mongodb-process')
  test(
    'one request reads a cursor at a time, and one that is given up ends it',
    needs(server),
    async () => {
      const gateway = await startMongodbGateway(server.url)
      const { act, pages, openCursors, log } = gateway
      const collection = await numbers(gateway, 250)
      const { cursor } = (await act('find', collection, first100)).body
      server.pause()
      try {
        const leaving = new AbortController()
        const asked = pages.asked
        const reading = gateway.request(
          'nextPage',
          '',
          { cursor },
          { signal: leaving.signal, headers: { 'x-correlation-id': 'leaving' } },
        )
        await eventually(() => expect(pages.asked).toBe(asked + 1))
        expect((await act('nextPage', '', { cursor })).status).toBe(409)
        expect((await act('closeCursor', '', { cursor })).status).toBe(409)
        leaving.abort()
        await expect(reading).rejects.toThrow()
        await eventually(() =>
          expect(log).toContainEqual(
            expect.objectContaining({ correlationId: 'leaving', code: 'MONGODB_ABORTED' }),
          ),
        )
        expect((await act('nextPage', '', { cursor })).status).toBe(404)
      } finally {
        server.resume()
      }
      expect(openCursors.size).toBe(0)
      await act('ping', '', {})
    },
  )

  test('a page that the gateway closes on is not taken for the last', needs(server), async () => {
    const closing = await startMongodbGateway(server.url)
    const { act, pages, openCursors } = closing
    const collection = await numbers(closing, 350)
    const { cursor } = (await act('find', collection, first100)).body
    const asked = pages.asked
    server.pause()
    const reading = act('nextPage', '', { cursor })
    await eventually(() => expect(pages.asked).toBe(asked + 1))
    closing.gateway.close()
    server.resume()
    expect((await reading).status).toBe(503)
    expect(openCursors.size).toBe(0)
  })
})
