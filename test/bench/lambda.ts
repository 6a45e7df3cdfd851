import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bundleLambda, lambdaEntry } from '../../scripts/build-lambda.ts'
import { httpEvents } from '../runtimes/lambda-events.ts'
import { LambdaEnvironment } from '../runtimes/lambda-runtime.ts'
import { type Figure, inTurns } from './figure.ts'

const event = httpEvents['API Gateway v2']('/health')

export const figures: Figure[] = [
  {
    name: 'lambda.start',
    bare: 'by hand over ioredis',
    unit: 'ms',
    comparison: 'multiple',
    target: 1.15,
    async measure(stage) {
      const { url } = await stage.redis()
      const ours = await unpacked(lambdaEntry)
      const theirs = await unpacked(new URL('./lambda-by-hand.ts', import.meta.url))
      try {
        return await inTurns(
          40,
          () => firstAnswer(ours, url),
          () => firstAnswer(theirs, url),
        )
      } finally {
        for (const directory of [ours, theirs]) await rm(directory, { recursive: true })
      }
    },
  },
]

/** A directory with what the zip of this entry would hold. */
async function unpacked(entry: URL): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'dualport-'))
  await writeFile(join(directory, 'index.mjs'), await bundleLambda(entry, ['redis/ioredis']))
  return directory
}

/** Milliseconds from the start of the process to its first answer, which says that Redis is well. */
async function firstAnswer(directory: string, redisUrl: string): Promise<number> {
  const started = performance.now()
  const lambda = await LambdaEnvironment.start(directory, { REDIS_URL: redisUrl })
  try {
    const result = (await lambda.invoke(event)) as { statusCode: number }
    const elapsed = performance.now() - started
    if (result.statusCode !== 200) throw new Error(`the answer is ${result.statusCode}`)
    return elapsed
  } finally {
    await lambda.stop()
  }
}
