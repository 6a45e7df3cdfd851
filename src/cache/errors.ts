import { InfraError } from '../core/index.ts'

export function misconfigured(detail: string): InfraError {
  return new InfraError({
    kind: 'config',
    component: 'cache',
    adapter: '-',
    operation: 'configure',
    detail,
  })
}
