import { globSync, readFileSync } from 'node:fs'
import { afterAll, expect, test } from 'vitest'
import { installPackage } from './project.ts'

interface Block {
  /** `src-redis-README-2.ts` */
  readonly file: string
  readonly code: string
  /** Marked as ```ts run. */
  readonly runs: boolean
}

const blocks = globSync(['README.md', 'docs/*.md', 'src/*/README.md']).flatMap((path): Block[] =>
  [...readFileSync(path, 'utf8').matchAll(/^```ts( run)?\n(.*?)^```$/gms)].map((match, i) => ({
    file: `${path.replace(/\.md$/, '').replaceAll('/', '-')}-${i + 1}.ts`,
    code: match[2] ?? '',
    runs: match[1] !== undefined,
  })),
)

const project = await installPackage()
await project.link('@types/node', 'undici-types', 'ioredis', '@upstash/redis', 'prom-client')
await project.link('hono', '@hono/node-server', 'pino', 'bson', 'mingo', 'mongodb')
await project.link('@platformatic/kafka', '@upstash/kafka')
await project.link('@azure/identity', '@azure/keyvault-secrets')
afterAll(() => project.remove())
for (const { file, code } of blocks) await project.write(file, code)

test('the code in the READMEs has the right types', async () => {
  await project.write(
    'tsconfig.json',
    JSON.stringify({
      compilerOptions: {
        strict: true,
        noEmit: true,
        skipLibCheck: true,
        module: 'nodenext',
        moduleDetection: 'force',
        target: 'es2024',
        types: ['node'],
      },
      files: blocks.map(({ file }) => file),
    }),
  )
  if (blocks.length > 0) await project.run('tsc', ['-p', '.'])
})

test.each(blocks.filter(({ runs }) => runs))('$file runs', async ({ file }) => {
  await expect(project.run(process.execPath, [file])).resolves.toBeTypeOf('string')
})
