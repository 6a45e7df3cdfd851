import { Readable } from 'node:stream'
import { type Attempt, DriverFailure, stepOf } from '../../../src/core/index.ts'
import type { Insertion, Parameter } from '../../../src/sql/index.ts'
import type { ColumnMetadata } from './columns.ts'
import type { Link } from './link.ts'
import { wireType } from './parameters.ts'
import { quoted, requestOf } from './query.ts'
import { type Target, targetOf } from './targets.ts'

/** How long the columns of a table are taken to be what they were. */
const knownMs = 300_000
/** Names may be made of data: there must not be ever more of them. */
const maxKnown = 1000
const chunkBytes = 32_768

const rowToken = Buffer.from([0xd1])
/** As an INSERT would: checks and triggers are those of the table, and NULL is NULL, not the column's default. */
const options = 'check_constraints, fire_triggers, keep_nulls'

interface Known {
  readonly targets: readonly Target[]
  readonly until: number
}

/**
 * Rows by the protocol of bulk loads, which is a batch of its own: all or none of them. Triggers fire once for
 * all of them, and a column that is an identity takes the values it is given.
 * https://learn.microsoft.com/openspecs/windows_protocols/ms-tds/88176081-df75-4b24-bcfb-4c16ff03cbfa
 */
export class Loader {
  readonly #known = new Map<string, Known>()

  async insert(link: Link, insertion: Insertion, attempt: Attempt): Promise<number> {
    const { columns, rows } = insertion
    if (rows.length === 0) return 0
    const table = insertion.table.map(quoted).join('.')
    const key = `${table} ${columns.map(quoted).join(',')}`
    try {
      const targets = await this.#targets(link, table, key, columns, stepOf(attempt))
      // All of them before the first is sent: what is wrong with one stops them all.
      const loads = targets.map((target, i) => target.load(columnOf(rows, i)))
      return await link.exec(attempt, (done) => {
        const connection = link.connection
        const bulk = connection.newBulkLoad(table, {}, done)
        const types: string[] = []
        for (const [i, { declaration, info }] of loads.entries()) {
          const name = columns[i] as string
          types.push(`${quoted(name)} ${declaration}`)
          bulk.addColumn(name, wireType(declaration, info(connection.databaseCollation)), {
            nullable: true,
          })
        }
        const text = `insert bulk ${table} (${types.join(', ')}) with (${options})`
        bulk.getBulkInsertSql = () => text
        // Ready bytes, in pieces of some size: tedious would push each value through a stream of its own.
        bulk.streamingMode = true
        const values = loads.map(({ values }) => values)
        const payload = chunks(bulk.getColMetaData(), values, rows.length, bulk.createDoneToken())
        Object.assign(bulk, { rowToPacketTransform: Readable.from(payload, { objectMode: true }) })
        connection.execBulkLoad(bulk, undefined as never)
      })
    } catch (error) {
      // The table may have changed.
      this.#known.delete(key)
      throw error
    }
  }

  async #targets(
    link: Link,
    table: string,
    key: string,
    columns: readonly string[],
    attempt: Attempt,
  ): Promise<readonly Target[]> {
    const known = this.#known.get(key)
    if (known !== undefined && known.until > performance.now()) return known.targets
    const text = `select top (0) ${columns.map(quoted).join(', ')} from ${table}`
    let metadata: readonly ColumnMetadata[] = []
    await link.exec(attempt, (done) => {
      const statement = { text, parameters: [], kind: 'SELECT', insertId: false } as const
      const request = requestOf(link, statement, done)
      request.on('columnMetadata', (columns) => {
        metadata = columns as ColumnMetadata[]
      })
      link.connection.execSql(request)
    })
    if (metadata.length !== columns.length) {
      const detail = 'the server does not say what the columns are'
      throw new DriverFailure({ kind: 'internal', outcome: 'not-applied', detail })
    }
    const targets = metadata.map(targetOf)
    if (this.#known.size >= maxKnown) this.#known.clear()
    this.#known.set(key, { targets, until: performance.now() + knownMs })
    return targets
  }
}

function columnOf(rows: Insertion['rows'], column: number): readonly Parameter[] {
  return rows.map((row) => row[column] as Parameter)
}

function* chunks(
  head: Buffer,
  values: readonly (readonly Buffer[])[],
  count: number,
  tail: Buffer,
): Generator<Buffer> {
  let parts = [head]
  let length = 0
  for (let row = 0; row < count; row++) {
    parts.push(rowToken)
    for (const column of values) {
      const value = column[row] as Buffer
      parts.push(value)
      length += value.length
    }
    if (length < chunkBytes) continue
    yield Buffer.concat(parts)
    parts = []
    length = 0
  }
  parts.push(tail)
  yield Buffer.concat(parts)
}
