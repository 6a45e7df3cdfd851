import fc from 'fast-check'
import { createConnection } from 'mysql2'
import { afterAll, describe, expect, test } from 'vitest'
import { read } from '../../src/sql/tokens.ts'
import { needs } from '../engines/index.ts'
import { mysqlDatabase } from './mysql.ts'
import { pieces } from './texts.ts'

const { url, ...engine } = await mysqlDatabase()

describe('tokens of MySQL', needs(engine), () => {
  if (engine.missing !== undefined) return void test('placeholders', () => {})
  const connection = createConnection({ uri: url })
  afterAll(() => connection.end())

  /** As many as the server finds, or undefined if it does not understand the text. */
  const placeholders = (text: string) =>
    new Promise<number | undefined>((resolve) => {
      connection.prepare(text, (error, statement) => {
        if (error !== null) return resolve(undefined)
        statement.close()
        // The types of mysql2 do not know it.
        resolve((statement as unknown as { parameters: unknown[] }).parameters.length)
      })
    })

  test('the server finds the same placeholders', async () => {
    let understood = 0
    await fc.assert(
      fc.asyncProperty(pieces, async (piece) => {
        const text = `select 1 as a ${piece}`
        // What cannot be encoded is refused before.
        if (!text.isWellFormed()) return
        const found = await placeholders(text)
        if (found === undefined) return
        understood++
        const { problem, placeholders: ours } = read(text, 'mysql')
        if (problem === undefined) expect(ours.length).toBe(found)
      }),
      { numRuns: 5000 },
    )
    expect(understood).toBeGreaterThan(100)
  })
})
