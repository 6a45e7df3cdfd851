import { InfraError } from '../../../src/core/index.ts'

/** https; http only to this machine and for who asks for it, since it shows tokens and values to the network. */
export function isSafe({ protocol, hostname }: URL, allowHttp: boolean): boolean {
  if (protocol === 'https:') return true
  return (
    allowHttp &&
    protocol === 'http:' &&
    /^(localhost|.+\.localhost|127(\.\d{1,3}){3}|\[::1\])$/.test(hostname)
  )
}

export function misconfigured(detail: string): InfraError {
  return new InfraError({
    kind: 'config',
    component: 'keyvault',
    adapter: 'azure-rest',
    operation: 'configure',
    detail,
  })
}
