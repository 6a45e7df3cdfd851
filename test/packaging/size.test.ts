import { afterAll, expect, test } from 'vitest'
import { installPackage } from './project.ts'
import { restWorker, workerSize } from './worker-size.ts'

/** Bytes, gzip. */
const limit = 12 * 1024

const project = await installPackage()
afterAll(() => project.remove())

test('a Worker that uses only Redis and rest stays small', async ({ task }) => {
  const bytes = await workerSize(project, restWorker)
  task.meta.report = `Worker with Redis and rest: ${(bytes / 1024).toFixed(2)} KB gzip, of ${limit / 1024}`
  expect(bytes).toBeLessThanOrEqual(limit)
})
