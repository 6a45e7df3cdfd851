import type { Failure } from '../core/index.ts'

/** An error reply, in the server's words. They may quote keys and values, so they stay out of `InfraError`'s message. */
export class ReplyError extends Error {
  override readonly name: string = 'ReplyError'
}

/** First word of an error reply to what it means. https://redis.io/docs/latest/develop/reference/protocol-spec/#simple-errors */
const byPrefix: Readonly<Record<string, Failure>> = {
  WRONGTYPE: { kind: 'invalid', detail: 'WRONGTYPE: the key holds another kind of value' },
  NOAUTH: { kind: 'unauthenticated' },
  WRONGPASS: { kind: 'unauthenticated' },
  NOPERM: { kind: 'forbidden' },
  READONLY: {
    kind: 'unavailable',
    outcome: 'not-applied',
    detail: 'READONLY: the server is a read-only replica',
  },
  LOADING: {
    kind: 'unavailable',
    outcome: 'not-applied',
    detail: 'LOADING: the server is starting',
  },
  BUSY: {
    kind: 'unavailable',
    outcome: 'not-applied',
    detail: 'BUSY: the server is running a script',
  },
  MASTERDOWN: { kind: 'unavailable', outcome: 'not-applied', detail: 'MASTERDOWN' },
  CLUSTERDOWN: {
    kind: 'unavailable',
    outcome: 'not-applied',
    detail: 'CLUSTERDOWN: the cluster does not serve every slot',
  },
  TRYAGAIN: { kind: 'unavailable', outcome: 'not-applied', detail: 'TRYAGAIN: slots are moving' },
  MOVED: {
    kind: 'unsupported',
    detail: 'MOVED: this is one node of a cluster; connect to it as a cluster',
  },
  ASK: { kind: 'unavailable', outcome: 'not-applied', detail: 'ASK: slots are moving' },
  CROSSSLOT: {
    kind: 'invalid',
    detail: 'CROSSSLOT: the keys are in different slots of the cluster',
  },
  OOM: { kind: 'throttled', detail: 'OOM: the server is out of memory', retryable: false },
  MISCONF: {
    kind: 'unavailable',
    outcome: 'not-applied',
    detail: 'MISCONF: the server cannot persist',
  },
  NOREPLICAS: { kind: 'unavailable', outcome: 'not-applied', detail: 'NOREPLICAS' },
  EXECABORT: { kind: 'invalid', detail: 'EXECABORT: a command of the transaction was refused' },
  NOSCRIPT: { kind: 'not-found', detail: 'NOSCRIPT: no script with that digest' },
  NOGROUP: { kind: 'not-found', detail: 'NOGROUP: no such stream or consumer group' },
  BUSYGROUP: { kind: 'conflict', detail: 'BUSYGROUP: the consumer group exists' },
  BUSYKEY: { kind: 'conflict', detail: 'BUSYKEY: the key exists' },
  UNKILLABLE: { kind: 'unavailable', outcome: 'not-applied', detail: 'UNKILLABLE' },
}

/** Texts after `ERR`, which quote nothing of the caller's, so that they may be shown. */
const byText: readonly (readonly [RegExp, Failure])[] = [
  [
    /^unknown (sub)?command\b/i,
    { kind: 'unsupported', detail: 'the server does not know this command' },
  ],
  [
    /^value is not an integer or out of range/,
    { kind: 'invalid', detail: 'the value is not an integer or out of range' },
  ],
  [
    /^hash value is not an integer/,
    { kind: 'invalid', detail: 'the hash value is not an integer' },
  ],
  [
    /^(hash )?value is not a (valid )?float/,
    { kind: 'invalid', detail: 'the value is not a float' },
  ],
  [
    /^increment or decrement would overflow/,
    { kind: 'invalid', detail: 'the increment would overflow' },
  ],
  [/^wrong number of arguments/, { kind: 'invalid', detail: 'wrong number of arguments' }],
  [/^syntax error/, { kind: 'invalid', detail: 'the server found a syntax error' }],
  [/^no such key/, { kind: 'not-found', detail: 'no such key' }],
  [/^index out of range/, { kind: 'invalid', detail: 'the index is out of range' }],
  [/^invalid expire time/, { kind: 'invalid', detail: 'the expiry is not valid' }],
  [
    /^string exceeds maximum allowed size/,
    { kind: 'invalid', detail: 'the string would be too large' },
  ],
  [
    /^The ID specified in XADD/,
    { kind: 'conflict', detail: 'the stream ID is not above the last one' },
  ],
  [/^Invalid stream ID/, { kind: 'invalid', detail: 'the stream ID is not valid' }],
  [/^invalid password|^Client sent AUTH/, { kind: 'unauthenticated' }],
  [/^max number of clients/, { kind: 'throttled', detail: 'the server has too many clients' }],
  [
    /^max (daily )?request limit exceeded/i,
    { kind: 'throttled', detail: 'the request limit is used up' },
  ],
  [/^max request size exceeded/i, { kind: 'invalid', detail: 'the request is too large' }],
  [
    /^(Error (compiling|running) script|user_script)/,
    { kind: 'invalid', detail: 'the script failed', outcome: 'unknown' },
  ],
  [/NOPERM|no permissions/, { kind: 'forbidden' }],
]

/** A command failed inside a script (Redis 7 and later): what the script did before stays done. */
const inScript = / script: [0-9a-f]{40}, on @user_script:/

/** An error reply in our words. The same for every transport, which is why it lives here. */
export function classifyReply(message: string): Failure {
  const failure = meaningOf(message)
  return inScript.test(message) ? { ...failure, outcome: 'unknown' } : failure
}

function meaningOf(message: string): Failure {
  const space = message.indexOf(' ')
  const prefix = space === -1 ? message : message.slice(0, space)
  const known = Object.hasOwn(byPrefix, prefix) ? byPrefix[prefix] : undefined
  if (known !== undefined) return known
  const text = prefix === 'ERR' ? message.slice(4) : message
  for (const [pattern, failure] of byText) if (pattern.test(text)) return failure
  return { kind: 'invalid', detail: 'the server refused the command' }
}
