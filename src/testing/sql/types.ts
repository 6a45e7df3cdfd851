import type { Dialect } from '../../sql/index.ts'

/** What the columns of a portable table are declared as. */
export interface Types {
  readonly integer: string
  readonly bigint: string
  readonly double: string
  readonly decimal: (precision: number, scale: number) => string
  readonly text: (length: number) => string
  readonly longText: string
  readonly boolean: string
  readonly date: string
  /** With as many digits of a second as there are. */
  readonly time: string
  readonly datetime: string
  readonly instant: string
  readonly binary: (length: number) => string
  readonly longBinary: string
  readonly uuid: string
  readonly json: string
  /** Counted by the server. */
  readonly identity: string
}

export const typesOf: Readonly<Record<Dialect, Types>> = {
  mysql: {
    integer: 'int',
    bigint: 'bigint',
    double: 'double',
    decimal: (precision, scale) => `decimal(${precision}, ${scale})`,
    text: (length) => `varchar(${length}) character set utf8mb4 collate utf8mb4_bin`,
    longText: 'longtext character set utf8mb4',
    boolean: 'boolean',
    date: 'date',
    time: 'time(6)',
    datetime: 'datetime(6)',
    instant: 'timestamp(3) null',
    binary: (length) => `varbinary(${length})`,
    longBinary: 'longblob',
    uuid: 'char(36)',
    json: 'json',
    identity: 'bigint auto_increment primary key',
  },
  sqlserver: {
    integer: 'int',
    bigint: 'bigint',
    double: 'float',
    decimal: (precision, scale) => `decimal(${precision}, ${scale})`,
    text: (length) => `nvarchar(${length}) collate Latin1_General_100_BIN2`,
    longText: 'nvarchar(max)',
    boolean: 'bit',
    date: 'date',
    time: 'time(7)',
    datetime: 'datetime2(7)',
    instant: 'datetimeoffset(3)',
    binary: (length) => `varbinary(${length})`,
    longBinary: 'varbinary(max)',
    uuid: 'uniqueidentifier',
    json: 'nvarchar(max)',
    identity: 'bigint identity(1, 1) primary key',
  },
  sqlite: {
    integer: 'int',
    bigint: 'bigint',
    double: 'double',
    decimal: (precision, scale) => `decimal(${precision}, ${scale})`,
    text: (length) => `varchar(${length})`,
    longText: 'text',
    boolean: 'boolean',
    date: 'date',
    time: 'time',
    datetime: 'datetime',
    instant: 'timestamp',
    binary: (length) => `varbinary(${length})`,
    longBinary: 'blob',
    uuid: 'uuid',
    json: 'json',
    identity: 'integer primary key autoincrement',
  },
}
