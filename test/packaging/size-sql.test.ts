import { afterAll, expect, test } from 'vitest'
import { installPackage } from './project.ts'
import { workerSize } from './worker-size.ts'

const project = await installPackage()
await project.link('@planetscale/database')
afterAll(() => project.remove())

const fetching = (source: string) => `
  ${source}
  export default {
    async fetch(request, env) {
      return Response.json(await rows(env))
    },
  }
`

const workers = [
  {
    what: 'Sql and gateway',
    source: fetching(`
      import { Sql } from 'dualport/sql'
      import { gateway } from 'dualport/sql/gateway'
      const rows = ({ URL: url, TOKEN: token }) =>
        new Sql(gateway({ url, token })).query\`select name from users\`
    `),
    limit: 20,
  },
  {
    what: 'Sql and planetscale',
    source: fetching(`
      import { Sql } from 'dualport/sql'
      import { planetscale } from 'dualport/sql/planetscale'
      const rows = ({ URL: url, TOKEN: password }) =>
        new Sql(planetscale({ url, username: 'u', password })).query\`select name from users\`
    `),
    limit: 26,
  },
  {
    what: 'ScyllaDB and gateway',
    source: fetching(`
      import { ScyllaDB } from 'dualport/scylladb'
      import { gateway } from 'dualport/scylladb/gateway'
      const rows = ({ URL: url, TOKEN: token }) =>
        new ScyllaDB(gateway({ url, token })).execute('SELECT name FROM users')
    `),
    limit: 15.5,
  },
]

/** KB, gzip. Raise a limit knowingly: a third is the pipeline, a third the statements with their values. */
test.for(workers)(
  'a Worker with $what stays small',
  {
    timeout: 60_000,
  },
  async ({ what, source, limit }, { task }) => {
    const kilobytes = (await workerSize(project, source)) / 1024
    task.meta.report = `Worker with ${what}: ${kilobytes.toFixed(2)} KB gzip of ${limit}`
    expect(kilobytes).toBeLessThanOrEqual(limit)
  },
)
