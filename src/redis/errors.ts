import type { ErrorKind, Failure } from '../core/index.ts'

/** An error reply, in the server's words. They may quote keys and values, so they stay out of `InfraError`'s message. */
export class ReplyError extends Error {
  override readonly name: string = 'ReplyError'
}

/**
 * What the first word of an error reply means; it also is the detail of the failure. Nothing is applied by
 * any of these. https://redis.io/docs/latest/develop/reference/protocol-spec/#simple-errors
 */
const byWord: Readonly<Partial<Record<ErrorKind, string>>> = {
  invalid: 'WRONGTYPE CROSSSLOT EXECABORT',
  unauthenticated: 'NOAUTH WRONGPASS',
  forbidden: 'NOPERM',
  unavailable:
    'READONLY LOADING BUSY MASTERDOWN CLUSTERDOWN TRYAGAIN ASK MISCONF NOREPLICAS UNKILLABLE',
  // One node of a cluster, spoken to as if it were alone.
  unsupported: 'MOVED',
  throttled: 'OOM',
  'not-found': 'NOSCRIPT NOGROUP',
  conflict: 'BUSYGROUP BUSYKEY',
}

/** What stands behind `ERR`. The patterns match fixed words of the server's, so that what they match may be shown. */
const byText: readonly (readonly [ErrorKind, RegExp])[] = [
  ['unsupported', /^unknown (sub)?command|command is not available/i],
  ['unauthenticated', /^invalid password|^Client sent AUTH/],
  ['throttled', /^max number of clients|^max (daily )?request limit exceeded/i],
  ['not-found', /^no such key/],
  ['conflict', /^The ID specified in XADD/],
  ['forbidden', /NOPERM|no permissions/],
  [
    'invalid',
    /(hash )?value is not an? (integer|(valid )?float)|would overflow|wrong number of arguments|syntax error|out of range|invalid expire time|Invalid stream ID/,
  ],
]

/** A command failed inside a script: what the script did before stays done. */
const inScript = / script: [0-9a-f]{40}, on @user_script:|^ERR (Error running script|user_script)/

/** An error reply in our words. The same for every transport, which is why it lives here. */
export function classifyReply(message: string): Failure {
  const outcome = inScript.test(message) ? 'unknown' : 'not-applied'
  const [word = ''] = message.split(' ', 1)
  for (const [kind, words] of Object.entries(byWord) as [ErrorKind, string][]) {
    // More memory does not come by waiting.
    if (words.split(' ').includes(word)) {
      return { kind, outcome, detail: word, retryable: word === 'OOM' ? false : undefined }
    }
  }
  const text = message.replace(/^ERR /, '')
  for (const [kind, pattern] of byText) {
    const match = pattern.exec(text)
    if (match !== null) return { kind, outcome, detail: match[0] }
  }
  return { kind: 'invalid', outcome, detail: 'the server refused the command' }
}
