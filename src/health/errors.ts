import { type ErrorKind, InfraError } from '../core/index.ts'

export function failed(kind: ErrorKind, operation: string, detail?: string): InfraError {
  return new InfraError({ kind, component: 'health', adapter: '-', operation, detail })
}
