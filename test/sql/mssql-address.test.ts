import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Address, AddressError, parseAddress } from '../../adapters/sql/mssql/address.ts'
import { settingsOf } from '../../adapters/sql/mssql/settings.ts'
import { type MssqlOptions, mssql } from '../../adapters/sql/mssql.ts'
import { isInfraError } from '../../src/core/index.ts'

const user = { username: 'app', password: 'S3cret' }

describe('the forms of an address', () => {
  const whole: Address = {
    host: 'db.example.com',
    port: 1434,
    database: 'app',
    username: 'me',
    password: 'p;@ss}"word',
  }
  const forms: Readonly<Record<string, string>> = {
    'mssql://': 'mssql://me:p%3B%40ss%7D%22word@db.example.com:1434/app',
    'sqlserver://': 'sqlserver://me:p%3B%40ss%7D%22word@db.example.com:1434/app',
    'sqlserver:// with properties':
      'sqlserver://db.example.com:1434;database=app;user=me;password={p;@ss}}"word}',
    'jdbc:sqlserver://':
      'jdbc:sqlserver://;serverName=db.example.com;portNumber=1434;databaseName=app;user=me;password={p;@ss}}"word};',
    'ADO.NET': 'Server=tcp:db.example.com,1434;Database=app;User Id=me;Password="p;@ss}""word";',
    'ADO.NET, other words':
      "Data Source = db.example.com,1434; Initial Catalog = app; UID = me; PWD = 'p;@ss}\"word'",
  }
  test.each(Object.entries(forms))('%s', (_, form) => {
    expect(parseAddress(form)).toEqual(whole)
  })

  test.each([
    ['mssql://h', { host: 'h' }],
    ['mssql://h/', { host: 'h' }],
    ['mssql://[::1]:1433/app', { host: '::1', port: 1433, database: 'app' }],
    ['mssql://h/sqlexpress/app', { host: 'h', instanceName: 'sqlexpress', database: 'app' }],
    ['sqlserver://h\\sqlexpress', { host: 'h', instanceName: 'sqlexpress' }],
    ['Server=.\\sqlexpress', { host: 'localhost', instanceName: 'sqlexpress' }],
    ['Server=(local)', { host: 'localhost' }],
    ['Server=h\\named,1500', { host: 'h', port: 1500 }],
    ['Server=::1,1500', { host: '::1', port: 1500 }],
    ['Server=h;Encrypt=Strict', { host: 'h', encrypt: 'strict' }],
    ['Server=h;Encrypt=Mandatory', { host: 'h', encrypt: true }],
    ['Server=h;encrypt=optional', { host: 'h', encrypt: false }],
    [
      'Server=h;Trust Server Certificate=True;HostNameInCertificate=x',
      { host: 'h', trustServerCertificate: true, serverName: 'x' },
    ],
    ['Server=h;ApplicationIntent=ReadOnly', { host: 'h', readOnly: true }],
    [
      'Server=h;Application Name=a b;Timeout=3',
      { host: 'h', applicationName: 'a b', connectTimeoutMs: 3000 },
    ],
    ['mssql://h?encrypt=false&maxPoolSize=3', { host: 'h', encrypt: false, maxPoolSize: 3 }],
    [
      'Server=h;MultiSubnetFailover=yes;Pooling=true;MARS=no',
      { host: 'h', multiSubnetFailover: true },
    ],
  ] satisfies [string, Address][])('%s', (form, address) => {
    expect(parseAddress(form)).toEqual(address)
  })

  // Of whole code points, as a URL has them.
  const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 })
  const word = text.filter((text) => text.trim() === text && !/[\0\r\n]/.test(text))

  test('any user and password come through a URL', () => {
    fc.assert(
      fc.property(word, word, (username, password) => {
        const login = `${encodeURIComponent(username)}:${encodeURIComponent(password)}`
        expect(parseAddress(`mssql://${login}@h:1/d`)).toEqual({
          host: 'h',
          port: 1,
          database: 'd',
          username,
          password,
        })
      }),
    )
  })

  test('any password comes through quotes and braces', () => {
    fc.assert(
      fc.property(word, (password) => {
        const ado = `Server=h;Password="${password.replaceAll('"', '""')}";User Id=me`
        expect(parseAddress(ado)).toMatchObject({ password, username: 'me' })
        const jdbc = `sqlserver://h;password={${password.replaceAll('}', '}}')}};user=me`
        expect(parseAddress(jdbc)).toMatchObject({ password, username: 'me' })
      }),
    )
  })

  test('whatever is given, it is read or refused, and the refusal quotes nothing', () => {
    const piece = fc.oneof(
      fc.constantFrom(
        'Server',
        'Password',
        '=',
        ';',
        '"',
        "'",
        '{',
        '}',
        'mssql://',
        '@',
        ':',
        '/',
        '?',
        ',',
      ),
      fc.string({ maxLength: 6 }),
    )
    const secret = 'Tr0ub4dor'
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        try {
          parseAddress(pieces.join('') + secret)
        } catch (error) {
          expect(error).toBeInstanceOf(AddressError)
          expect(String(error)).not.toContain(secret)
        }
      }),
      { numRuns: 2000 },
    )
  })
})

describe('options', () => {
  const refused = (options: MssqlOptions) => {
    let error: unknown
    try {
      mssql(options)
    } catch (thrown) {
      error = thrown
    }
    if (!isInfraError(error)) throw new Error('it was taken')
    expect(error.code).toBe('SQL_CONFIG')
    return error.message
  }

  test('encryption is on, the pool is small and the certificate is looked at unless told otherwise', () => {
    expect(settingsOf(user)).toMatchObject({
      host: '127.0.0.1',
      port: 1433,
      encrypt: true,
      trustServerCertificate: false,
      maxPoolSize: 5,
      maxIdleMs: 25_000,
      connectTimeoutMs: 5000,
      applicationName: 'dualport',
    })
  })

  test('what is an option takes precedence over the URL', () => {
    const url = 'mssql://a:b@h/one?encrypt=false&maxPoolSize=9'
    const settings = settingsOf({ url, database: 'two', encrypt: true, maxPoolSize: 2, ...user })
    expect(settings).toMatchObject({ database: 'two', encrypt: true, maxPoolSize: 2, login: user })
  })

  test('the resource has neither user nor password', () => {
    expect(mssql({ url: 'mssql://me:S3cret@db.example.com/app' }).resource).toBe(
      'db.example.com:1433/app',
    )
    expect(mssql({ url: 'Server=h\\named;User Id=me;Password=S3cret' }).resource).toBe('h\\named')
    expect(mssql({ host: '::1', ...user }).resource).toBe('[::1]:1433')
  })

  test.each([
    [{}, 'there is no login'],
    [{ username: 'me' }, 'go together'],
    [{ ...user, accessToken: 'x' }, 'does not go with'],
    [{ ...user, port: 0 }, 'port'],
    [{ ...user, port: 1433, instanceName: 'x' }, 'do not go together'],
    [{ ...user, url: 'Server=h', host: 'h' }, 'do not go with url'],
    [{ ...user, host: 'a b' }, 'host'],
    [{ ...user, maxPoolSize: 0 }, 'maxPoolSize'],
    [{ ...user, maxIdleMs: -1 }, 'maxIdleMs'],
    [{ ...user, encrypt: 'yes' as never }, 'encrypt'],
    [{ ...user, ca: 1 as never }, 'ca'],
    [{ ...user, password: 1 as never }, 'password'],
    [{ ...user, poolSize: 1 } as never, 'there is no option of this name'],
    [{ url: 'postgres://h' }, 'url is no'],
    [{ url: 'mssql://me:S3cret@h:port/d' }, 'server in url'],
    [{ url: 'Server=h;Colour=S3cret' }, 'not known'],
    [{ url: 'Server=h;Server=S3cret' }, 'twice'],
    [{ url: 'Server=h;Encrypt=S3cret' }, 'neither true nor false'],
    [{ url: 'Server=h;Integrated Security=true' }, 'integrated security'],
    [{ url: 'Server=h;Authentication=Active Directory Default' }, 'accessToken'],
    [{ url: 'mssql://me:%S3cret@h' }, 'percent-encoded'],
  ] satisfies [MssqlOptions, string][])('%j is refused', (options, words) => {
    const message = refused(options)
    expect(message).toContain(words)
    expect(message).not.toContain('S3cret')
  })
})
