import type { Metadata } from './columns.ts'

/** `readValue` of tedious, where a value of any type but the largest begins. */
export type ReadValue = (
  bytes: Buffer,
  offset: number,
  metadata: Metadata,
  options: object,
) => { value: unknown; readonly offset: number }

/** The inner value of a sql_variant, with what tells its type. */
export class Variant {
  readonly value: unknown
  readonly type: string

  constructor(value: unknown, type: string) {
    this.value = value
    this.type = type
  }
}

/**
 * tedious makes doubles of decimals and money, which are exact up to 15 digits. This reads their own bytes, for
 * those connections alone that are ours: what else there is in the process sees no difference.
 * https://learn.microsoft.com/openspecs/windows_protocols/ms-tds/6e6aaf97-d5c3-4e2e-a5e1-35a25bda0a35
 */
export function readingExactly(
  original: ReadValue,
  isOurs: (options: object) => boolean,
): ReadValue {
  return (bytes, offset, metadata, options) => {
    // Also throws what says that the value has not arrived as a whole yet.
    const result = original(bytes, offset, metadata, options)
    if (result.value === null) return result
    switch (metadata.type.name) {
      case 'DecimalN':
      case 'NumericN':
        if (isOurs(options)) {
          result.value = decimal(bytes, offset + 1, bytes[offset] as number, metadata.scale ?? 0)
        }
        break
      case 'MoneyN':
        if (isOurs(options)) result.value = money(bytes, offset + 1, bytes[offset] as number)
        break
      case 'Money':
      case 'SmallMoney':
        if (isOurs(options)) result.value = money(bytes, offset, result.offset - offset)
        break
      case 'Variant':
        if (isOurs(options)) result.value = variant(bytes, offset, result.value)
        break
    }
    return result
  }
}

function decimal(bytes: Buffer, at: number, length: number, scale: number): string {
  const sign = bytes[at] === 1 ? '' : '-'
  let digits = 0n
  for (let i = at + length - 4; i > at; i -= 4)
    digits = (digits << 32n) | BigInt(bytes.readUInt32LE(i))
  return sign + pointed(digits, scale)
}

/** Ten-thousandths; of eight bytes, the upper half comes first. */
function money(bytes: Buffer, at: number, length: number): string {
  const amount =
    length === 4
      ? BigInt(bytes.readInt32LE(at))
      : (BigInt(bytes.readInt32LE(at)) << 32n) | BigInt(bytes.readUInt32LE(at + 4))
  return amount < 0n ? `-${pointed(-amount, 4)}` : pointed(amount, 4)
}

function pointed(digits: bigint, scale: number): string {
  const text = digits.toString().padStart(scale + 1, '0')
  return scale === 0 ? text : `${text.slice(0, -scale)}.${text.slice(-scale)}`
}

/** Types by their numbers on the wire. Of the others the value itself says enough. */
const variantTypes: Readonly<Record<number, string>> = {
  36: 'UniqueIdentifier',
  40: 'Date',
  41: 'Time',
  42: 'DateTime2',
  43: 'DateTimeOffset',
  58: 'SmallDateTime',
  61: 'DateTime',
  127: 'BigInt',
}

function variant(bytes: Buffer, offset: number, value: unknown): Variant {
  const length = bytes.readUInt32LE(offset)
  const [type, properties] = [bytes[offset + 4] as number, bytes[offset + 5] as number]
  const at = offset + 6
  switch (type) {
    case 0x3c:
    case 0x7a:
      return new Variant(money(bytes, at, length - 2), 'Money')
    case 0x6a:
    case 0x6c:
      return new Variant(
        decimal(bytes, at + properties, length - 2 - properties, bytes[at + 1] as number),
        'DecimalN',
      )
    default:
      return new Variant(value, variantTypes[type] ?? 'Other')
  }
}
