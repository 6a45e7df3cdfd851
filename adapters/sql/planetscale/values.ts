import type { Field } from '@planetscale/database'
import { DriverFailure } from '../../../src/core/index.ts'

/** Of a character set: no text. */
const binary = 63

/** MySQL's names, by Vitess'. https://github.com/vitessio/vitess/blob/main/proto/query.proto */
const mysqlTypes: Readonly<Record<string, string>> = {
  INT8: 'TINYINT',
  INT16: 'SMALLINT',
  INT24: 'MEDIUMINT',
  INT32: 'INT',
  INT64: 'BIGINT',
  UINT8: 'TINYINT UNSIGNED',
  UINT16: 'SMALLINT UNSIGNED',
  UINT24: 'MEDIUMINT UNSIGNED',
  UINT32: 'INT UNSIGNED',
  UINT64: 'BIGINT UNSIGNED',
  FLOAT32: 'FLOAT',
  FLOAT64: 'DOUBLE',
}

export function mysqlType({ type }: Field): string {
  return mysqlTypes[type] ?? type
}

/** For the client: a value, which it gives with a character for each byte, as every adapter gives it. */
export function portable(field: Field, value: string | null | undefined): unknown {
  if (value === null || value === undefined) return null
  switch (field.type) {
    case 'INT64':
    case 'UINT64':
      return BigInt(value)
    case 'INT8':
    case 'INT16':
    case 'INT24':
    case 'INT32':
    case 'UINT8':
    case 'UINT16':
    case 'UINT24':
    case 'UINT32':
    case 'YEAR':
    case 'FLOAT32':
    case 'FLOAT64':
      return Number(value)
    case 'DECIMAL':
    case 'DATE':
      return value
    case 'TIME':
      return shortened(value)
    case 'DATETIME':
      return shortened(value.replace(' ', 'T'))
    case 'TIMESTAMP':
      // The zero timestamp is no moment.
      return value.startsWith('0000') ? null : new Date(`${value.replace(' ', 'T')}Z`)
    case 'JSON':
      return JSON.parse(utf8(value))
    case 'ENUM':
    case 'SET':
      return utf8(value)
    case 'BIT':
    case 'GEOMETRY':
      return bytes(value)
    default:
      return field.charset === binary ? bytes(value) : utf8(value)
  }
}

/** Without the zeros at the end of a fraction. */
function shortened(time: string): string {
  return time.includes('.') ? time.replace(/\.?0+$/, '') : time
}

function bytes(text: string): Uint8Array {
  const result = new Uint8Array(text.length)
  for (let i = 0; i < text.length; i++) result[i] = text.charCodeAt(i)
  return result
}

/** The client's own would drop a byte order mark. */
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const beyondAscii = /[\x80-\xff]/

function utf8(text: string): string {
  if (!beyondAscii.test(text)) return text
  try {
    return decoder.decode(bytes(text))
  } catch {
    throw new DriverFailure({ kind: 'internal', detail: 'a text of the reply is not UTF-8' })
  }
}
