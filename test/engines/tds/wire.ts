import type { Reader, Writer } from './bytes.ts'
import { decimalOf, type SqlType, type TypeName, typeText, type Value } from './types.ts'
import {
  convert,
  days1900,
  decimalUnits,
  parseMoment,
  readGuid,
  shift,
  ticksPerDay,
  writeDecimal,
  writeGuid,
  writeMoment,
} from './values.ts'

/** Latin1_General_100_CI_AS_SC_UTF8: text of every language passes through char and varchar. */
export const collation = Buffer.from([0x09, 0x04, 0xd0, 0x24, 0x00])

const nullLength = 0xffff
const max = 0xffff

/**
 * TYPE_INFO: https://learn.microsoft.com/openspecs/windows_protocols/ms-tds/cbe9c510-eae6-4b1f-9893-a098944d430a
 * The nullable forms only, which clients read as the same types.
 */
const ids: Readonly<Record<TypeName, readonly [id: number, size?: number]>> = {
  tinyint: [0x26, 1],
  smallint: [0x26, 2],
  int: [0x26, 4],
  bigint: [0x26, 8],
  bit: [0x68, 1],
  real: [0x6d, 4],
  float: [0x6d, 8],
  smallmoney: [0x6e, 4],
  money: [0x6e, 8],
  smalldatetime: [0x6f, 4],
  datetime: [0x6f, 8],
  uniqueidentifier: [0x24, 16],
  decimal: [0x6a],
  numeric: [0x6c],
  date: [0x28],
  time: [0x29],
  datetime2: [0x2a],
  datetimeoffset: [0x2b],
  varbinary: [0xa5],
  varchar: [0xa7],
  binary: [0xad],
  char: [0xaf],
  nvarchar: [0xe7],
  nchar: [0xef],
  xml: [0xf1],
  image: [0x22],
  text: [0x23],
  ntext: [0x63],
  sql_variant: [0x62],
}

const byId = new Map<string, TypeName>(
  (Object.entries(ids) as [TypeName, readonly [number, number?]][]).map(([name, [id, size]]) => [
    size === undefined ? `${id}` : `${id}/${size}`,
    name,
  ]),
)

/** The forms that cannot be null, and are as long as they are. */
const fixed: Readonly<Record<number, TypeName>> = {
  48: 'tinyint',
  50: 'bit',
  52: 'smallint',
  56: 'int',
  58: 'smalldatetime',
  59: 'real',
  60: 'money',
  61: 'datetime',
  62: 'float',
  122: 'smallmoney',
  127: 'bigint',
}

/** As the wire says it: of the fixed forms, values have no length before them. */
export interface WireType {
  readonly type: SqlType
  readonly fixed: boolean
}

export function readTypeInfo(reader: Reader): WireType {
  const id = reader.uint(1)
  const name = fixed[id]
  if (name !== undefined) return { type: { name }, fixed: true }
  return { type: readVariable(reader, id), fixed: false }
}

function readVariable(reader: Reader, id: number): SqlType {
  switch (id) {
    case 0x24:
    case 0x26:
    case 0x68:
    case 0x6d:
    case 0x6e:
    case 0x6f: {
      const name = byId.get(`${id}/${reader.uint(1)}`)
      if (name === undefined) throw new RangeError('no such length of a type')
      return { name }
    }
    case 0x6a:
    case 0x6c: {
      reader.uint(1)
      const [precision, scale] = [reader.uint(1), reader.uint(1)]
      return { name: id === 0x6a ? 'decimal' : 'numeric', precision, scale }
    }
    case 0x29:
    case 0x2a:
    case 0x2b:
      return { name: byId.get(`${id}`)!, scale: reader.uint(1) }
    case 0xa5:
    case 0xad: {
      const length = reader.uint(2)
      return { name: byId.get(`${id}`)!, length: length === max ? -1 : length }
    }
    case 0xa7:
    case 0xaf:
    case 0xe7:
    case 0xef: {
      const length = reader.uint(2)
      reader.bytes(5)
      const size = id === 0xe7 || id === 0xef ? length / 2 : length
      return { name: byId.get(`${id}`)!, length: length === max ? -1 : size }
    }
    case 0x62:
      reader.bytes(4)
      return { name: 'sql_variant' }
    case 0x22:
    case 0x23:
    case 0x63:
      reader.bytes(id === 0x22 ? 4 : 9)
      return { name: byId.get(`${id}`)! }
    case 0xf1:
      if (reader.uint(1) === 1) {
        reader.text(1)
        reader.text(1)
        reader.text(2)
      }
      return { name: 'xml' }
    default: {
      const name = byId.get(`${id}`)
      if (name === undefined) throw new RangeError('a type that is not known here')
      return { name }
    }
  }
}

export function writeTypeInfo(writer: Writer, type: SqlType): void {
  const [id, size] = ids[type.name]
  writer.uint8(id)
  if (size !== undefined) {
    writer.uint8(size)
    return
  }
  const { length = 0 } = type
  switch (type.name) {
    case 'decimal':
    case 'numeric': {
      const { precision, scale } = decimalOf(type)!
      writer.uint8(decimalBytes(precision)).uint8(precision).uint8(scale)
      return
    }
    case 'time':
    case 'datetime2':
    case 'datetimeoffset':
      writer.uint8(type.scale ?? 7)
      return
    case 'varbinary':
    case 'binary':
      writer.uint(length < 0 ? max : length, 2)
      return
    case 'varchar':
    case 'char':
      writer.uint(length < 0 ? max : length, 2).bytes(collation)
      return
    case 'nvarchar':
    case 'nchar':
      writer.uint(length < 0 ? max : length * 2, 2).bytes(collation)
      return
    case 'image':
      writer.uint(0x7fffffff, 4)
      return
    case 'text':
    case 'ntext':
      writer.uint(0x7fffffff, 4).bytes(collation)
      return
    case 'xml':
      writer.uint8(0)
      return
    case 'sql_variant':
      writer.uint(8009, 4)
  }
}

function decimalBytes(precision: number): number {
  return precision <= 9 ? 5 : precision <= 19 ? 9 : precision <= 28 ? 13 : 17
}

/** Partially length-prefixed: in chunks, the end marked. */
function isChunked({ name, length }: SqlType): boolean {
  return name === 'xml' || length === -1
}

// Values in --------------------------------------------------------------------------------------

/** `pointers`: text, ntext and image have a text pointer before them, as in rows. */
export function readValue(reader: Reader, wire: WireType, pointers: boolean): Value {
  const { type } = wire
  if (isChunked(type)) {
    const bytes = readChunks(reader)
    return bytes === null ? null : fromBytes(bytes, type)
  }
  switch (type.name) {
    case 'char':
    case 'varchar':
    case 'nchar':
    case 'nvarchar':
    case 'binary':
    case 'varbinary': {
      const length = reader.uint(2)
      return length === nullLength ? null : fromBytes(reader.bytes(length), type)
    }
    case 'text':
    case 'ntext':
    case 'image': {
      if (pointers && reader.bytes(reader.uint(1)).length === 0) return null
      if (pointers) reader.bytes(8)
      const length = reader.int(4)
      return length < 0 ? null : fromBytes(reader.bytes(length), type)
    }
  }
  const length = wire.fixed ? ids[type.name][1]! : reader.uint(1)
  return length === 0 ? null : readShort(reader, type, length)
}

function readShort(reader: Reader, type: SqlType, length: number): Value {
  switch (type.name) {
    case 'bit':
    case 'tinyint':
      return BigInt(reader.uint(1))
    case 'smallint':
      return BigInt(reader.int(2))
    case 'int':
      return BigInt(reader.int(4))
    case 'bigint':
      return reader.int64()
    case 'real':
      return reader.float()
    case 'float':
      return reader.double()
    case 'smallmoney':
      return writeDecimal(BigInt(reader.int(4)), 4)
    case 'money': {
      const high = BigInt(reader.int(4))
      return writeDecimal((high << 32n) | BigInt(reader.uint(4)), 4)
    }
    case 'decimal':
    case 'numeric': {
      const positive = reader.uint(1) === 1
      let units = 0n
      for (const byte of [...reader.bytes(length - 1)].reverse())
        units = (units << 8n) | BigInt(byte)
      return writeDecimal(positive ? units : -units, decimalOf(type)!.scale)
    }
    case 'uniqueidentifier':
      return readGuid(reader.bytes(16))
    case 'smalldatetime': {
      const days = days1900 + reader.uint(2)
      return writeMoment({ days, ticks: BigInt(reader.uint(2)) * 600_000_000n, offset: 0 }, type)
    }
    case 'datetime': {
      const days = days1900 + reader.int(4)
      const milliseconds = Math.round((reader.uint(4) * 10) / 3)
      return writeMoment({ days, ticks: BigInt(milliseconds) * 10_000n, offset: 0 }, type)
    }
    case 'date':
      return writeMoment({ days: reader.uint(3), ticks: 0n, offset: 0 }, type)
    case 'time':
      return writeMoment({ days: 0, ticks: readTicks(reader, type), offset: 0 }, type)
    case 'datetime2': {
      const ticks = readTicks(reader, type)
      return writeMoment({ days: reader.uint(3), ticks, offset: 0 }, type)
    }
    case 'datetimeoffset': {
      const ticks = readTicks(reader, type)
      const days = reader.uint(3)
      const offset = reader.int(2)
      return writeMoment(shift({ days, ticks, offset }, offset), type)
    }
    default:
      throw new RangeError('a type that has no short form')
  }
}

function readTicks(reader: Reader, { scale = 7 }: SqlType): bigint {
  return BigInt(reader.uint(timeBytes(scale))) * 10n ** BigInt(7 - scale)
}

function timeBytes(scale: number): 3 | 4 | 5 {
  return scale <= 2 ? 3 : scale <= 4 ? 4 : 5
}

function readChunks(reader: Reader): Buffer | null {
  if (reader.uint64() === 0xffff_ffff_ffff_ffffn) return null
  const chunks: Buffer[] = []
  for (let length = reader.uint(4); length > 0; length = reader.uint(4)) {
    chunks.push(reader.bytes(length))
  }
  return Buffer.concat(chunks)
}

function fromBytes(bytes: Buffer, { name }: SqlType): Value {
  if (name === 'binary' || name === 'varbinary' || name === 'image') return new Uint8Array(bytes)
  return bytes.toString(name === 'xml' || name.startsWith('n') ? 'utf16le' : 'utf8')
}

// Values out -------------------------------------------------------------------------------------

/** Of text, ntext and image: those of a row, with a text pointer that says nothing. */
const textPointer = Buffer.concat([Buffer.of(16), Buffer.alloc(16), Buffer.alloc(8)])

/** Throws as SQL Server does when the value is none of the type. */
export function writeValue(writer: Writer, type: SqlType, given: Value): void {
  const value = convert(given, type)
  if (isChunked(type)) {
    writeChunks(writer, value === null ? null : toBytes(value, type))
    return
  }
  switch (type.name) {
    case 'char':
    case 'varchar':
    case 'nchar':
    case 'nvarchar':
    case 'binary':
    case 'varbinary': {
      if (value === null) {
        writer.uint(nullLength, 2)
        return
      }
      const bytes = toBytes(value, type)
      writer.uint(bytes.length, 2).bytes(bytes)
      return
    }
    case 'text':
    case 'ntext':
    case 'image': {
      if (value === null) {
        writer.uint8(0)
        return
      }
      const bytes = toBytes(value, type)
      writer.bytes(textPointer).uint(bytes.length, 4).bytes(bytes)
      return
    }
  }
  if (type.name === 'sql_variant') writeVariant(writer, value)
  else if (value === null) writer.uint8(0)
  else writeShort(writer, type, value)
}

/** Of the type that the value tells: bigint, float, nvarchar or varbinary. */
function writeVariant(writer: Writer, value: Value): void {
  if (value === null) writer.uint(0, 4)
  else if (typeof value === 'bigint') writer.uint(10, 4).uint8(0x7f).uint8(0).int64(value)
  else if (typeof value === 'number') writer.uint(10, 4).uint8(0x3e).uint8(0).double(value)
  else if (typeof value === 'string') {
    writer
      .uint(9 + value.length * 2, 4)
      .uint8(0xe7)
      .uint8(7)
    writer.bytes(collation).uint(8000, 2).utf16(value)
  } else {
    writer
      .uint(4 + value.length, 4)
      .uint8(0xa5)
      .uint8(2)
      .uint(8000, 2)
      .bytes(value)
  }
}

function writeShort(writer: Writer, type: SqlType, value: Exclude<Value, null>): void {
  const [, size] = ids[type.name]
  if (size !== undefined) writer.uint8(size)
  switch (type.name) {
    case 'bit':
    case 'tinyint':
      writer.uint8(Number(value))
      return
    case 'smallint':
      writer.int(Number(value), 2)
      return
    case 'int':
      writer.int(Number(value), 4)
      return
    case 'bigint':
      writer.int64(value as bigint)
      return
    case 'real':
      writer.float(value as number)
      return
    case 'float':
      writer.double(value as number)
      return
    case 'smallmoney':
      writer.int(Number(decimalUnits(value as string)), 4)
      return
    case 'money': {
      const units = decimalUnits(value as string)
      writer.int(Number(units >> 32n), 4).uint(Number(units & 0xffff_ffffn), 4)
      return
    }
    case 'decimal':
    case 'numeric':
      writeDecimalUnits(writer, type, decimalUnits(value as string))
      return
    case 'uniqueidentifier':
      writer.bytes(writeGuid(value as string))
      return
    default:
      writeMomentOf(writer, type, value as string)
  }
}

function writeDecimalUnits(writer: Writer, type: SqlType, units: bigint): void {
  const size = decimalBytes(decimalOf(type)!.precision)
  writer.uint8(size).uint8(units < 0n ? 0 : 1)
  let rest = units < 0n ? -units : units
  for (let at = 1; at < size; at++) {
    writer.uint8(Number(rest & 0xffn))
    rest >>= 8n
  }
}

function writeMomentOf(writer: Writer, type: SqlType, text: string): void {
  const moment = parseMoment(text, type)
  switch (type.name) {
    case 'smalldatetime':
      writer.uint(moment.days - days1900, 2).uint(Number(moment.ticks / 600_000_000n), 2)
      return
    case 'datetime':
      writer
        .int(moment.days - days1900, 4)
        .uint(Number((moment.ticks * 3n + 50_000n) / 100_000n), 4)
      return
    case 'date':
      writer.uint8(3).uint(moment.days, 3)
      return
  }
  const { scale = 7 } = type
  const bytes = timeBytes(scale)
  const utc = type.name === 'datetimeoffset' ? shift(moment, -moment.offset) : moment
  const time = Number((utc.ticks % ticksPerDay) / 10n ** BigInt(7 - scale))
  if (type.name === 'time') writer.uint8(bytes).uint(time, bytes)
  else if (type.name === 'datetime2')
    writer
      .uint8(bytes + 3)
      .uint(time, bytes)
      .uint(utc.days, 3)
  else
    writer
      .uint8(bytes + 5)
      .uint(time, bytes)
      .uint(utc.days, 3)
      .int(moment.offset, 2)
}

function writeChunks(writer: Writer, bytes: Uint8Array | null): void {
  if (bytes === null) {
    writer.uint64(0xffff_ffff_ffff_ffffn)
    return
  }
  writer.uint64(BigInt(bytes.length))
  if (bytes.length > 0) writer.uint(bytes.length, 4).bytes(bytes)
  writer.uint(0, 4)
}

function toBytes(value: Value, type: SqlType): Uint8Array {
  if (value instanceof Uint8Array) return value
  if (typeof value !== 'string') throw new TypeError(`no ${typeText(type)}`)
  const wide = type.name === 'xml' || type.name.startsWith('n')
  return Buffer.from(value, wide ? 'utf16le' : 'utf8')
}
