import { Reader } from './bytes.ts'
import { type Isolation, isolations } from './session.ts'
import type { SqlType, Value } from './types.ts'
import { readTypeInfo, readValue, type WireType } from './wire.ts'

/** Past ALL_HEADERS, which say which transaction the client thinks it is in. */
export function body(payload: Buffer): Reader {
  return new Reader(payload, payload.readUInt32LE(0))
}

export interface RemoteCall {
  /** `sp_executesql`, by name or by number. */
  readonly procedure: string
  readonly parameters: readonly RemoteParameter[]
}

export interface RemoteParameter {
  /** Without the `@`. */
  readonly name: string
  readonly output: boolean
  readonly type: SqlType
  readonly value: Value
}

const procedures: Readonly<Record<number, string>> = {
  10: 'sp_executesql',
  11: 'sp_prepare',
  12: 'sp_execute',
  13: 'sp_prepexec',
  15: 'sp_unprepare',
}

/** https://learn.microsoft.com/openspecs/windows_protocols/ms-tds/619c43b6-9495-4a58-9e49-a4950db245b3 */
export function readCalls(payload: Buffer): RemoteCall[] {
  const reader = body(payload)
  const calls: RemoteCall[] = []
  while (!reader.done) {
    const length = reader.uint(2)
    const procedure =
      length === 0xffff
        ? (procedures[reader.uint(2)] ?? '')
        : reader.bytes(length * 2).toString('utf16le')
    reader.uint(2)
    const parameters: RemoteParameter[] = []
    // Another call of the same request may follow a mark.
    while (!reader.done && reader.buffer[reader.offset]! < 0x80) parameters.push(parameter(reader))
    if (!reader.done) reader.uint(1)
    calls.push({ procedure, parameters })
  }
  return calls
}

function parameter(reader: Reader): RemoteParameter {
  const name = reader.text(1).replace(/^@/, '')
  const output = (reader.uint(1) & 1) !== 0
  const wire = readTypeInfo(reader)
  return { name, output, type: wire.type, value: readValue(reader, wire, false) }
}

export interface TransactionRequest {
  readonly kind: 'begin' | 'commit' | 'rollback' | 'save'
  readonly name: string | undefined
  readonly isolation?: Isolation | undefined
}

const levels: readonly (Isolation | undefined)[] = [undefined, ...isolations]

/** https://learn.microsoft.com/openspecs/windows_protocols/ms-tds/f6de36a5-e6b2-44d9-85db-e36b3d4cd76f */
export function readTransaction(payload: Buffer): TransactionRequest {
  const reader = body(payload)
  const name = () => {
    const text = reader.bytes(reader.uint(1)).toString('utf16le')
    return text === '' ? undefined : text
  }
  switch (reader.uint(2)) {
    case 5: {
      const isolation = levels[reader.uint(1)]
      return { kind: 'begin', isolation, name: name() }
    }
    case 7:
      return { kind: 'commit', name: name() }
    case 8:
      return { kind: 'rollback', name: name() }
    case 9:
      return { kind: 'save', name: name() }
    default:
      throw new RangeError('a request to the transaction manager that is not known here')
  }
}

/** The rows of a bulk load: COLMETADATA, ROW tokens and a DONE. */
export function readBulk(payload: Buffer): Value[][] {
  const reader = new Reader(payload)
  let columns: WireType[] = []
  const rows: Value[][] = []
  while (!reader.done) {
    const token = reader.uint(1)
    if (token === 0x81) columns = bulkColumns(reader)
    else if (token === 0xd1) rows.push(columns.map((wire) => readValue(reader, wire, true)))
    else break
  }
  return rows
}

function bulkColumns(reader: Reader): WireType[] {
  const columns: WireType[] = []
  for (let left = reader.uint(2); left > 0; left--) {
    reader.bytes(6)
    const wire = readTypeInfo(reader)
    const { name } = wire.type
    if (name === 'text' || name === 'ntext' || name === 'image') reader.text(2)
    reader.text(1)
    columns.push(wire)
  }
  return columns
}
