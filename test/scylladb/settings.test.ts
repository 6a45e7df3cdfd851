import { describe, expect, test } from 'vitest'
import { settingsOf } from '../../adapters/scylladb/cassandra-driver/settings.ts'
import { cassandraDriver } from '../../adapters/scylladb/cassandra-driver.ts'

describe('the options of cassandra-driver', () => {
  test('by default it is a server on this machine', () => {
    expect(settingsOf({})).toMatchObject({
      contactPoints: ['127.0.0.1:9042'],
      keyspace: undefined,
      user: undefined,
      tls: undefined,
      profile: 'serverless',
      maxIdleMs: 25_000,
      resource: '127.0.0.1:9042',
    })
  })

  test('a URL has hosts, keyspace, credentials, data centre and TLS, to which options are preferred', () => {
    const url =
      'cql://ann:p%40ss@10.0.0.1,db.example:9142,[2001:db8::1]:9/app?localDataCenter=dc1&tls=true'
    expect(settingsOf({ url, port: 9043, localDataCenter: 'dc2' })).toMatchObject({
      contactPoints: ['10.0.0.1:9043', 'db.example:9142', '[2001:db8::1]:9'],
      keyspace: 'app',
      localDataCenter: 'dc2',
      user: { username: 'ann', password: 'p@ss' },
      tls: { rejectUnauthorized: true },
      resource: '10.0.0.1:9043,db.example:9142,[2001:db8::1]:9/app',
    })
    expect(settingsOf({ url: 'cql://a' })).toMatchObject({ contactPoints: ['a:9042'] })
  })

  test('TLS verifies unless it is told not to', () => {
    expect(settingsOf({ tls: true }).tls).toEqual({ rejectUnauthorized: true })
    const ca = 'CERTIFICATE'
    expect(settingsOf({ tls: { ca } }).tls).toEqual({ rejectUnauthorized: true, ca })
    expect(settingsOf({ tls: { rejectUnauthorized: undefined } }).tls).toEqual({
      rejectUnauthorized: true,
    })
    expect(settingsOf({ tls: { rejectUnauthorized: false } }).tls).toEqual({
      rejectUnauthorized: false,
    })
    expect(settingsOf({ tls: false }).tls).toBeUndefined()
  })

  test.each<[string, object]>([
    ['an unknown option', { host: 'secret' }],
    ['a URL of another scheme', { url: 'https://secret' }],
    ['a URL with other parameters', { url: 'cql://a/b?secret=1' }],
    ['a URL that is not encoded', { url: 'cql://secret%:x@a/b' }],
    ['a URL beside hosts', { url: 'cql://secret', hosts: ['a'] }],
    ['no hosts', { hosts: [] }],
    ['a host that is none', { hosts: ['secret host'] }],
    ['a port that is none', { port: 70_000 }],
    ['a keyspace that is none', { keyspace: 'secret"; x' }],
    ['a data centre that is none', { localDataCenter: '' }],
    ['a password without a user', { password: 'secret' }],
    ['a user without a password', { username: 'secret' }],
    ['TLS that is neither', { tls: 'secret' }],
    ['a profile that there is not', { profile: 'secret' }],
    ['a duration that is none', { maxIdleMs: 0 }],
  ])('%s is SCYLLADB_CONFIG, and not shown', (_, options) => {
    let failed: unknown
    try {
      cassandraDriver(options)
    } catch (error) {
      failed = error
    }
    expect(failed).toMatchObject({ code: 'SCYLLADB_CONFIG', adapter: 'cassandra-driver' })
    expect(String(failed)).not.toContain('secret')
  })
})
