import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Consistency } from '../../src/scylladb/index.ts'
import { readOnlyToken, scriptedGateway, token } from './scylladb-scripted.ts'

/** What stands between words without changing what a statement says. */
const gap = fc
  .array(
    fc.constantFrom(' ', '\t', '\r\n', '/* SELECT ; */', '-- SELECT\n', '// ;\r', '/*--*/', '/**/'),
    { minLength: 1, maxLength: 3 },
  )
  .map((parts) => ` ${parts.join('')} `)
const anyCase = (word: string) =>
  fc
    .array(fc.boolean(), { minLength: word.length, maxLength: word.length })
    .map((upper) =>
      [...word].map((char, i) => (upper[i] ? char.toUpperCase() : char.toLowerCase())).join(''),
    )
/** A statement with its words in any case, and anything between them. */
const dressed = (statement: string) =>
  fc
    .tuple(
      gap,
      ...statement
        .split(' ')
        .map((word) => fc.tuple(/^[A-Z]+$/.test(word) ? anyCase(word) : fc.constant(word), gap)),
    )
    .map(([before, ...words]) => before + words.flat().join(''))

const reading = [
  'SELECT a FROM k.t',
  'SELECT JSON * FROM k.t WHERE a = ?',
  'SELECT DISTINCT a FROM k.t ALLOW FILTERING',
  'SELECT a AS "from" FROM k.t',
  `SELECT a FROM k.t WHERE b = 'x; DROP TABLE t'`,
  'SELECT a FROM k.t WHERE b = $$;INSERT$$',
  'SELECT "a;b" FROM "K"."T" ;',
]
const writing = [
  ...['INSERT INTO k.t (a) VALUES (?)', 'INSERT INTO k.t JSON ?'],
  ...['UPDATE k.t SET a = ? WHERE b = ?', 'DELETE FROM k.t WHERE b = ?', 'TRUNCATE k.t'],
  ...['CREATE TABLE k.t (a int PRIMARY KEY)', 'ALTER TABLE k.t ADD b int', 'DROP TABLE k.t'],
  'CREATE MATERIALIZED VIEW v AS SELECT * FROM k.t WHERE a IS NOT NULL PRIMARY KEY (a)',
  ...['CREATE ROLE r', 'GRANT SELECT ON k.t TO r', 'REVOKE SELECT ON k.t FROM r'],
  ...['LIST ROLES', 'LIST ALL PERMISSIONS', 'DESCRIBE KEYSPACES', 'PRUNE MATERIALIZED VIEW v'],
  ...['ADD IDENTITY x TO ROLE r', 'USE k'],
  'BEGIN BATCH INSERT INTO k.t (a) VALUES (1) APPLY BATCH',
]

describe('a token that only reads', () => {
  test.each(reading)('runs %s', async (statement) => {
    await fc.assert(
      fc.asyncProperty(dressed(statement), async (cql) => {
        const { post, sent } = scriptedGateway()
        const parameters = cql.includes('?') ? [1] : []
        const { status } = await post('execute', { cql, parameters }, readOnlyToken)
        expect({ cql, status }).toEqual({ cql, status: 200 })
        expect(sent).toHaveLength(1)
      }),
      { numRuns: 30 },
    )
  })

  test.each(writing)('does not run %s', async (statement) => {
    await fc.assert(
      fc.asyncProperty(dressed(statement), async (cql) => {
        const { post, sent } = scriptedGateway()
        const { status } = await post('execute', { cql }, readOnlyToken)
        expect({ cql, status }).toEqual({ cql, status: 403 })
        expect(sent).toHaveLength(0)
      }),
      { numRuns: 30 },
    )
  })

  test.each([
    ['two statements', 'SELECT a FROM k.t; DROP TABLE k.t'],
    ['a statement behind an empty one', '; DROP TABLE k.t'],
    ['a word that begins like SELECT', 'SELECTED a FROM k.t'],
    ['SELECT in quotes', '"SELECT" a FROM k.t'],
    ['SELECT in a comment', '/* SELECT a FROM k.t */ DROP TABLE k.t'],
    ['SELECT in a comment of a line, which ends at a carriage return', '-- SELECT\rDROP TABLE k.t'],
    ['a comment that has no end', '/* DROP TABLE k.t'],
    ['a comment within a comment, which is none', '/* /* */ DROP TABLE k.t -- */ SELECT'],
    ['quotes that have no end', `SELECT a FROM k.t WHERE b = 'x`],
    ['a text in dollars that has no end', 'SELECT a FROM k.t WHERE b = $$x'],
    ['a quote that is not doubled', `SELECT a FROM k.t WHERE b = 'x''; DROP TABLE k.t`],
    ['letters that are like those of SELECT', 'ſELECT a FROM k.t'],
    ['a line separator that ends no comment', '--\u2028SELECT a FROM k.t'],
    ['an invisible character before SELECT', '\u200bSELECT a FROM k.t'],
    ['nothing', ''],
    ['a comment', '-- SELECT'],
  ])('does not run %s', async (_, cql) => {
    const { post, sent } = scriptedGateway()
    expect((await post('execute', { cql }, readOnlyToken)).status).toBe(403)
    expect(sent).toHaveLength(0)
  })

  test('whatever the text is, only what begins with SELECT reaches the engine', async () => {
    const { post, sent } = scriptedGateway()
    const piece = fc.oneof(
      fc.constantFrom(
        ...[
          'SELECT',
          'select',
          'DROP TABLE k.t',
          'INSERT',
          '*',
          'FROM k.t',
          'BEGIN BATCH',
          'USE k',
        ],
        ...[';', "'", "''", '"', '$$', '$', '--', '//', '/*', '*/', '\n', '\r', ' ', '\u00a0', '?'],
        ...['\u2028', '\ufeff', ':a', '{', '}', '\\', '\0'],
      ),
      fc.string({ unit: 'binary', maxLength: 3 }),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 12 }), async (pieces) => {
        const cql = pieces.join('')
        const before = sent.length
        await post('execute', { cql }, readOnlyToken)
        if (sent.length > before) expect(firstWord(cql)).toMatch(/^select$/i)
      }),
      { numRuns: 5000 },
    )
  })

  test('runs no batch, and may ask for the hosts', async () => {
    const { post, sent } = scriptedGateway()
    const statements = [{ cql: 'SELECT a FROM k.t' }]
    expect((await post('batch', { statements }, readOnlyToken)).status).toBe(403)
    expect(sent).toHaveLength(0)
    expect((await post('hosts', {}, readOnlyToken)).body).toEqual({ up: 2, total: 3 })
    expect((await post('ping', {}, readOnlyToken)).status).toBe(200)
  })
})

/** As the grammar of Cassandra has it: spaces and comments are left out. */
function firstWord(cql: string): string | undefined {
  const hidden = /^(?:[ \t\r\n]|(?:--|\/\/)[^\r\n]*[\r\n]|\/\*[\s\S]*?\*\/)*/
  return /^[A-Za-z]\w*/.exec(cql.replace(hidden, ''))?.[0]
}

describe('keyspaces', () => {
  const statements = (table: string) => [
    `SELECT a FROM ${table}`,
    `SELECT a AS "from" FROM ${table} WHERE b = 1`,
    `INSERT INTO ${table} (a) VALUES (1)`,
    `INSERT INTO ${table}(a) VALUES (1)`,
    `UPDATE ${table} SET a = 1 WHERE b = 1`,
    `UPDATE ${table} USING TTL 1 SET a = 1 WHERE b = 1`,
    `DELETE FROM ${table} WHERE b = 1`,
    `DELETE a, "from" FROM ${table} USING TIMESTAMP 1 WHERE b = 1;`,
  ]

  test.each([
    'system.roles',
    'SYSTEM_auth . roles',
    '"system_auth"/**/.roles',
    'system_views.x',
  ])('those of the server itself are not served: %s', async (table) => {
    const { post, sent } = scriptedGateway()
    for (const cql of statements(table)) {
      expect((await post('execute', { cql })).status, cql).toBe(403)
      expect((await post('execute', { cql }, readOnlyToken)).status, cql).toBe(403)
    }
    const within = scriptedGateway(undefined, { keyspace: 'system_auth' })
    expect((await within.post('execute', { cql: 'SELECT * FROM roles' })).status).toBe(403)
    expect(sent).toHaveLength(0)
  })

  test.each([
    't',
    'k.t',
    '"System_Auth".t',
    'system_schema.tables',
    'systems.t',
  ])('others are: %s', async (table) => {
    const { post, sent } = scriptedGateway()
    for (const cql of statements(table)) {
      expect((await post('execute', { cql })).status, cql).toBe(200)
    }
    expect(sent).toHaveLength(statements(table).length)
  })

  test('of those that are named, all others are not, and neither are other statements', async () => {
    const options = { scylladbKeyspaces: ['mine', 'K"2'], keyspace: 'mine' }
    const { post, sent } = scriptedGateway(undefined, options)
    for (const table of ['t', 'MINE.t', '"K""2".t']) {
      for (const cql of statements(table)) {
        expect((await post('execute', { cql })).status, cql).toBe(200)
      }
    }
    const served = sent.length
    for (const table of ['other.t', '"Mine".t', 'system_schema.tables', 'system.local']) {
      for (const cql of statements(table)) {
        expect((await post('execute', { cql })).status, cql).toBeGreaterThanOrEqual(400)
        expect((await post('batch', { statements: [{ cql }] })).status).toBeGreaterThanOrEqual(400)
      }
    }
    for (const cql of ['DROP KEYSPACE mine', 'TRUNCATE mine.t', 'CREATE ROLE r', 'LIST ROLES']) {
      expect((await post('execute', { cql })).status, cql).toBe(403)
    }
    expect(sent).toHaveLength(served)
  })

  test.each([
    'SELECT * FROM MUTATION_FRAGMENTS(system.roles)',
    'SELECT a+1from system.roles',
    'SELECT a FROM "system"."roles".x',
    'SELECT {1:from k.t} FROM system.roles',
    'SELECT a FROM',
    'INSERT x',
    'DELETE FROM .t',
    'UPDATE',
  ])('a statement that does not say it plainly is not run: %s', async (cql) => {
    const { post, sent } = scriptedGateway()
    expect((await post('execute', { cql })).status).toBeGreaterThanOrEqual(400)
    expect(sent).toHaveLength(0)
  })

  test('whatever the text is, a name of the server’s own keyspaces does not pass', async () => {
    const { post, sent } = scriptedGateway(undefined, { keyspace: 'k' })
    const target = fc.constantFrom(
      ...['system.roles', '"system" . roles', 'SYSTEM/* */.roles', 'system--\n.roles'],
    )
    const start = fc.constantFrom('SELECT a FROM', 'INSERT INTO', 'UPDATE', 'DELETE FROM')
    const noise = fc
      .array(
        fc.constantFrom(
          ...['FROM', 'INTO', 'k.t', '{', '}', ':', ':x', "'", '"', '$$', '/*', '*/', '--', '\n'],
          ...[' ', '(', ')', '.', '1', 'a', ',', 'UPDATE', 'SET', '[', ']', '/', '-', '+'],
        ),
        { maxLength: 5 },
      )
      .map((parts) => parts.join(''))
    await fc.assert(
      fc.asyncProperty(start, noise, target, noise, async (start, before, name, after) => {
        const cql = `${start} ${before} ${name} ${after}`
        const earlier = sent.length
        await post('execute', { cql })
        if (sent.length > earlier) expect(tableOf(cql)).not.toMatch(/^system \./)
      }),
      { numRuns: 5000 },
    )
  })
})

/** What a statement is about, by the lexer of Cassandra: `system . roles`. */
function tableOf(cql: string): string {
  const lexer =
    /(?:--|\/\/)[^\r\n]*|\/\*[\s\S]*?\*\/|'(?:[^']|'')*'|"(?:[^"]|"")*"|\$\$[\s\S]*?\$\$|[A-Za-z]\w*|\d+|\S/g
  const tokens = (cql.match(lexer) ?? [])
    .filter((token) => !/^(?:--|\/\/|\/\*)/.test(token))
    .map((token) => (token[0] === '"' ? token.slice(1, -1) : token.toLowerCase()))
  const word = tokens.findIndex((token) => /^(?:from|into|update)$/.test(token))
  return tokens.slice(word + 1, word + 4).join(' ')
}

describe('consistency levels', () => {
  const cql = 'SELECT a FROM k.t'

  test('all of them pass', async () => {
    const { post, sent } = scriptedGateway()
    const levels: Consistency[] = ['ONE', 'ALL', 'LOCAL_QUORUM', 'SERIAL', 'EACH_QUORUM']
    for (const consistency of levels) await post('execute', { cql, consistency })
    expect(sent.map(({ consistency }) => consistency)).toEqual(levels)
  })

  test('of those that are named, all others are refused', async () => {
    const scylladbConsistencies: Consistency[] = ['LOCAL_QUORUM', 'LOCAL_SERIAL']
    const { post, sent } = scriptedGateway(undefined, { scylladbConsistencies })
    const refused = [
      ...[{ consistency: 'ALL' }, { consistency: 'local_quorum' }, { consistency: ['ALL'] }],
      ...[{ serialConsistency: 'SERIAL' }, { consistency: null }, { consistency: 1 }],
    ]
    for (const levels of refused) {
      expect((await post('execute', { cql, ...levels })).status).toBe(403)
      const statements = [{ cql: 'DELETE FROM k.t WHERE a = 1' }]
      expect((await post('batch', { statements, ...levels })).status).toBe(403)
    }
    expect(sent).toHaveLength(0)
    const served = { consistency: 'LOCAL_QUORUM', serialConsistency: 'LOCAL_SERIAL' }
    expect((await post('execute', { cql, ...served })).status).toBe(200)
  })

  test('one that there is not is a mistake in the configuration', () => {
    const scylladbConsistencies = ['QUORUM', 'secret'] as Consistency[]
    const start = () => scriptedGateway(undefined, { scylladbConsistencies })
    expect(start).toThrow(expect.objectContaining({ code: 'GATEWAY_CONFIG' }))
    expect(start).not.toThrow(/secret/)
  })
})

test('a permission is asked of nobody else: hostile bodies never reach the engine', async () => {
  const { post, sent, log } = scriptedGateway()
  const body = fc.oneof(
    fc.json(),
    fc.string(),
    fc.record(
      {
        cql: fc.oneof(fc.constant('SELECT a FROM k.t WHERE b = ?'), fc.jsonValue()),
        parameters: fc.jsonValue(),
        statements: fc.oneof(
          fc.array(fc.record({ cql: fc.jsonValue(), parameters: fc.jsonValue() })),
          fc.jsonValue(),
        ),
        pageSize: fc.jsonValue(),
        pagingState: fc.jsonValue(),
        consistency: fc.jsonValue(),
        timestamp: fc.jsonValue(),
        idempotent: fc.jsonValue(),
        type: fc.jsonValue(),
        __proto__: fc.jsonValue(),
      },
      { requiredKeys: [] },
    ),
  )
  await fc.assert(
    fc.asyncProperty(fc.constantFrom('execute', 'batch', 'ping'), body, async (path, body) => {
      const { status, headers } = await post(path, body)
      expect([200, 400, 403, 404]).toContain(status)
      if (status !== 200) expect(headers.get('dualport-error')).toMatch(/^SCYLLADB_[A-Z_]+;not-/)
    }),
    { numRuns: 2000 },
  )
  for (const request of sent) {
    if ('cql' in request) expect(request.parameters).toHaveLength(1)
  }
  expect(JSON.stringify(log)).not.toContain(token)
})
