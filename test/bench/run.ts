/**
 * `npm run bench`: every figure that the documentation states, each beside the bare library in the same
 * run, in turns. `npm run bench -- redis.get`: those whose name contains `redis.get`. Prints one JSON
 * line a figure as it comes, then a table, then what is met and what falls short.
 */
import { figures as cache } from './cache.ts'
import { columns, Result } from './figure.ts'
import { figures as gateway } from './gateway.ts'
import { figures as imports } from './import.ts'
import { figures as kafka } from './kafka.ts'
import { figures as keyvault } from './keyvault.ts'
import { figures as lambda } from './lambda.ts'
import { figures as mongodb } from './mongodb.ts'
import { figures as pipeline } from './pipeline.ts'
import { figures as redis } from './redis.ts'
import { figures as scylladb } from './scylladb.ts'
import { figures as scylladbGateway } from './scylladb-gateway.ts'
import { figures as mssql } from './sql-mssql.ts'
import { figures as mysql } from './sql-mysql.ts'
import { Stage } from './stage.ts'
import { figures as worker } from './worker.ts'

const part = process.argv[2] ?? ''
const all = [
  ...imports,
  ...pipeline,
  ...redis,
  ...kafka,
  ...mongodb,
  ...mysql,
  ...mssql,
  ...scylladb,
  ...scylladbGateway,
  ...keyvault,
  ...gateway,
  ...cache,
  ...worker,
  ...lambda,
]
const figures = all.filter(({ name }) => name.includes(part))

if (figures.length === 0) {
  console.error(
    `no figure has that in its name; there are ${all.map(({ name }) => name).join(', ')}`,
  )
  process.exit(1)
}

const results: Result[] = []
const stage = new Stage()
try {
  for (const figure of figures) {
    const result = new Result(figure, await figure.measure(stage))
    results.push(result)
    console.log(JSON.stringify(result))
  }
} finally {
  await stage.stop()
}

console.log()
printTable([columns, ...results.map((result) => result.toRow())])
console.log()
list('met', true)
list('falls short', false)

function printTable(rows: readonly string[][]): void {
  const widths = columns.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)))
  for (const row of rows) {
    console.log(
      row
        .map((cell, i) => cell.padEnd(widths[i]!))
        .join('  ')
        .trimEnd(),
    )
  }
}

function list(title: string, met: boolean): void {
  const names = results.filter((result) => result.met === met).map(({ figure }) => figure.name)
  console.log(`${title}: ${names.join(', ') || 'none'}`)
}
