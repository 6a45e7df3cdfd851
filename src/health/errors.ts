import { type ErrorKind, InfraError } from '../core/index.ts'

export function failed(kind: ErrorKind, detail?: string): InfraError {
  return new InfraError({ kind, component: 'health', adapter: '-', operation: 'check', detail })
}
