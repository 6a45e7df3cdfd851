import { Result } from './figure.ts'
import { figures } from './sql-mssql.ts'
for (const f of figures) {
  if (process.argv[2] && !f.name.includes(process.argv[2])) continue
  const t = Date.now()
  console.log(JSON.stringify(new Result(f, await f.measure(undefined as never))), Date.now() - t)
}
