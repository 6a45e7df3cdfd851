import { describe, expect, test } from 'vitest'
import { settingsOf } from '../../adapters/sql/mysql2/settings.ts'
import { type Mysql2Options, mysql2 } from '../../adapters/sql/mysql2.ts'
import { isInfraError } from '../../src/core/index.ts'

const settings = (options: Mysql2Options) => settingsOf(options, false)
const ssl = { rejectUnauthorized: true, verifyIdentity: true }

function refusal(options: object): string {
  try {
    mysql2(options as Mysql2Options)
  } catch (error) {
    if (!isInfraError(error)) throw error
    expect(error.code).toBe('SQL_CONFIG')
    return error.message
  }
  throw new Error('it was taken')
}

describe('where mysql2 connects to', () => {
  test('a URL has it all', () => {
    const url = 'mysql://me:p%40ss%2Fw@db.example.com:3307/my%20app'
    expect(settings({ url })).toMatchObject({
      ...{ host: 'db.example.com', port: 3307, database: 'my app' },
      ...{ username: 'me', password: 'p@ss/w', resource: 'db.example.com:3307/my app' },
    })
  })

  test('the defaults are those of MySQL, and small', () => {
    expect(settings({})).toEqual({
      ...{ host: '127.0.0.1', port: 3306, database: '', username: 'root', password: '' },
      ...{ resource: '127.0.0.1:3306', ssl: undefined, servername: undefined },
      ...{ maxPoolSize: 5, maxIdleMs: 25_000, connectTimeoutMs: 5000, maxPreparedStatements: 50 },
      isHyperdrive: false,
    })
  })

  test('options go before the URL', () => {
    const password = async () => 'rotated'
    const options = { url: 'mysql://a:b@localhost/c', username: 'd', password, database: 'e' }
    expect(settings(options)).toMatchObject({ username: 'd', password, database: 'e' })
  })

  test('an address of IPv6', () => {
    expect(settings({ url: 'mysql://[::1]/x' })).toMatchObject({
      host: '::1',
      resource: '[::1]:3306/x',
    })
  })

  test('no credentials in the resource', () => {
    const driver = mysql2({ url: 'mysql://name:secret@localhost/app' })
    expect(driver.resource).toBe('localhost:3306/app')
  })

  test('a Hyperdrive binding has address and credentials, and cannot stop statements', () => {
    const hyperdrive = { host: 'h.local', port: 3306, user: 'u', password: 'p', database: 'd' }
    expect(settingsOf({ hyperdrive, maxPoolSize: 1 }, true)).toMatchObject({
      ...{ host: 'h.local', username: 'u', password: 'p', database: 'd', maxPoolSize: 1 },
      ...{ ssl: undefined, isHyperdrive: true },
    })
    expect(mysql2({ hyperdrive }).capabilities.cancel).toBe(false)
  })
})

describe('whether mysql2 encrypts', () => {
  test.each(['localhost', '127.0.0.1', '127.1.2.3', '[::1]'])('not to %s', (host) => {
    expect(settings({ url: `mysql://u@${host}/` }).ssl).toBeUndefined()
  })

  test('to any other host, and it verifies who that is', () => {
    expect(settings({ host: 'db.example.com' }).ssl).toEqual(ssl)
    expect(settings({ host: 'localhost', tls: true }).ssl).toEqual(ssl)
  })

  test.each([
    ['ssl=true', ssl],
    ['tls=1', ssl],
    ['ssl-mode=REQUIRED', ssl],
    ['sslmode=VERIFY_IDENTITY', ssl],
    ['sslaccept=strict', ssl],
    ['ssl={"rejectUnauthorized":true}', ssl],
    ['ssl={"rejectUnauthorized":false}', { rejectUnauthorized: false, verifyIdentity: false }],
    ['ssl=false', undefined],
    ['ssl-mode=DISABLED', undefined],
  ])('as ?%s says', (query, expected) => {
    expect(settings({ url: `mysql://u@db.example.com/?${query}` }).ssl).toEqual(expected)
  })

  test('the option goes before the URL', () => {
    expect(settings({ url: 'mysql://u@h.example/?ssl=true', tls: false }).ssl).toBeUndefined()
  })

  test('the name in the certificate may be another one', () => {
    const tls = { ca: 'PEM', servername: 'db.internal' }
    expect(settings({ host: '10.0.0.1', tls })).toMatchObject({
      ssl: { ...ssl, ca: 'PEM' },
      servername: 'db.internal',
    })
  })
})

describe('what mysql2 refuses', () => {
  test.each([
    [{ hots: 'x' }, 'there is no option of this name'],
    [{ url: 'nonsense' }, 'url is none'],
    [{ url: 'postgres://u@h/' }, 'url is not mysql://'],
    [{ url: 'mysql://u:%E0%A4%A@localhost/' }, 'url is not percent-encoded'],
    [{ url: 'mysql://localhost/', host: 'x' }, 'host and port do not go with url'],
    [{ url: 'mysql://localhost/?charset=x' }, 'url has a parameter'],
    [{ url: 'mysql://localhost/?ssl={' }, 'ssl in url is not JSON'],
    [{ host: 'a b' }, 'host is not a name or address'],
    [{ port: 70_000 }, 'port is not from 1 to 65535'],
    [{ password: 'x' }, 'there is a password but no username'],
    [{ username: '', password: 'x' }, 'username is not a name'],
    [{ username: 'x', password: 1 }, 'password is not a text or a function'],
    [{ database: 'x'.repeat(65) }, 'database is not a name'],
    [{ maxPoolSize: 0 }, 'maxPoolSize is not a whole number from 1'],
    [{ maxIdleMs: -1 }, 'maxIdleMs is not a whole number from 0'],
    [{ connectTimeoutMs: Number.NaN }, 'connectTimeoutMs is not a whole number from 1'],
    [{ maxPreparedStatements: 1.5 }, 'maxPreparedStatements is not a whole number from 1'],
    [{ tls: 'yes' }, 'tls is not true, false or an object'],
    [{ tls: { cа: 'x' } }, 'tls has no such option'],
    [{ tls: { rejectUnauthorized: 'no' } }, 'tls.rejectUnauthorized is not true or false'],
    [{ host: '10.0.0.1' }, 'the server is named by its address'],
    [{ hyperdrive: { host: 'h' }, url: 'mysql://localhost/' }, 'hyperdrive has the address'],
    [{ hyperdrive: { host: 'h' } }, 'port is not from 1 to 65535'],
  ])('%o', (options, expected) => {
    expect(refusal(options)).toContain(expected)
  })

  test('in a Worker, all but Hyperdrive', () => {
    expect(() => settingsOf({ url: 'mysql://localhost/' }, true)).toThrow('Hyperdrive')
  })

  test('no credential comes out in a refusal', () => {
    for (const options of [
      { url: 'mysql://name:secret@localhost/?x=secret' },
      { url: 'mysql:secret' },
      { username: 'secret\0', password: 'secret' },
    ]) {
      expect(refusal(options)).not.toContain('secret')
    }
  })
})
