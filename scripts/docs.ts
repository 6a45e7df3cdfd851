import { writeFile } from 'node:fs/promises'
import { errorCodes } from '../src/errors.ts'

/** docs/errors.md, from the registry. */
export function errorsPage(): string {
  const rows = Object.values(errorCodes).map(
    ({ code, kind, description, remedy }) =>
      `| \`${code}\` | \`${kind}\` | ${description} | ${remedy} |`,
  )
  return `# Error codes

Every failure of dualport is an \`InfraError\`. Its \`code\` is one of these; \`outcome\` says what the operation
left behind (\`not-applied\`, \`partial\`, \`unknown\`), and \`retryable\` whether the same call may succeed later.
The same texts are in code: \`import { errorCodes } from 'dualport/errors'\`.

| code | kind | what it means | what to do |
|---|---|---|---|
${rows.join('\n')}
`
}

if (import.meta.main) await writeFile(new URL('../docs/errors.md', import.meta.url), errorsPage())
