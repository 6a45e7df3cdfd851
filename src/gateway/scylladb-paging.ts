import { createHmac, timingSafeEqual } from 'node:crypto'
import { fromBase64, toBase64 } from '../core/base64.ts'
import type { CqlStatement } from '../scylladb/index.ts'
import { identityOf } from '../scylladb/request.ts'
import { type Call, Refusal } from './face.ts'

/** Bytes. */
const signatureLength = 16

/*
 * A server takes the paging state of another statement, or of other parameters, and skips rows without a word. So
 * what leaves the gateway is a signature and the state, in base64: for one statement and its parameters, in one
 * keyspace, by one token, and the same in every process of a gateway.
 */

export function sealed(
  state: Uint8Array,
  statement: CqlStatement,
  keyspace: string | undefined,
  call: Call,
): string {
  return toBase64(Buffer.concat([sign(state, statement, keyspace, call), state]))
}

/** @throws Refusal for what `sealed` has not made of the same */
export function unsealed(
  text: unknown,
  statement: CqlStatement,
  keyspace: string | undefined,
  call: Call,
): Uint8Array {
  const bytes = fromBase64(text)
  if (bytes !== undefined && bytes.length > signatureLength) {
    const state = bytes.subarray(signatureLength)
    const signature = sign(state, statement, keyspace, call)
    if (timingSafeEqual(signature, bytes.subarray(0, signatureLength))) return state
  }
  throw new Refusal(
    'invalid',
    'pagingState is not what this token was given for this statement, parameters and keyspace',
  )
}

function sign(state: Uint8Array, statement: CqlStatement, keyspace = '', { key }: Call): Buffer {
  const about = JSON.stringify(['scylladb page', keyspace, identityOf(statement)])
  // JSON has no line break: where the state begins is clear.
  const hmac = createHmac('sha256', key).update(`${about}\n`).update(state)
  return hmac.digest().subarray(0, signatureLength)
}
