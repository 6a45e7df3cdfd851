import { codeOf, type ErrorKind } from './core/index.ts'

export interface ErrorDescription {
  readonly code: string
  readonly component: string
  readonly kind: ErrorKind
  readonly description: string
  readonly remedy: string
}

type Texts = readonly [description: string, remedy: string]

/** What each kind means for every component. */
const byKind: Readonly<Record<ErrorKind, Texts>> = {
  config: [
    'The client was set up wrongly, or a library that its adapter needs is not installed.',
    'Correct what the message names. It is found at construction, or at the first call for what must be loaded.',
  ],
  unavailable: [
    'The server could not be reached, cut the connection, or said that it cannot serve now; or the circuit is open after repeated failures.',
    'Check that the server runs and can be reached from here. Repeat a write only if `outcome` is `not-applied`.',
  ],
  timeout: [
    'No answer came by the deadline: the `timeoutMs` of the call or client, or the deadline of `withContext`.',
    'Look for a slow server or network before giving more time. A write whose `outcome` is `unknown` may have been applied.',
  ],
  aborted: [
    'The caller’s signal fired.',
    'Nothing, if that was meant. A write whose `outcome` is `unknown` may have been applied.',
  ],
  unauthenticated: [
    'The server refused the credentials.',
    'Check the token, user name or password. Credentials given as a function have been asked for once more already.',
  ],
  forbidden: [
    'The credentials are good but do not permit this operation.',
    'Grant the permission, or use credentials that have it: a read-only token cannot write.',
  ],
  'not-found': [
    'What the operation needs does not exist.',
    'Create it first, or treat it as missing.',
  ],
  conflict: [
    'The operation contradicts the present state.',
    'Read the state again and decide anew.',
  ],
  throttled: [
    'The server asks to slow down, or has no room.',
    'Wait for `retryAfterMs` if it is given, send less, or give the server more.',
  ],
  invalid: [
    'The input cannot be right, whatever the state of the server; most of it is refused before anything is sent.',
    'Correct the call; repeating it gives the same error.',
  ],
  unsupported: [
    'This adapter, or the server behind it, cannot do this.',
    'See `capabilities`, and use another adapter where one can.',
  ],
  closed: [
    'The client has been closed.',
    'Close a client when the process ends, not when a request does.',
  ],
  internal: [
    'A reply could not be understood, so something other than the expected server may have answered.',
    'Check the URL and what stands in between. If both are right, report it as a bug.',
  ],
}

const special: Readonly<Record<string, Texts>> = {
  CACHE_CONFIG: [
    'A time, a number or a sealing key of a cache cannot be.',
    'Correct what the message names. A key is 32 bytes, as base64, hex or a Uint8Array.',
  ],
  CONFIG_CONFIG: [
    'The configuration cannot be right. The message has one line for each problem.',
    'Each line names a variable (or a setting of the object form) and what to do about it.',
  ],
  CONTEXT_UNSUPPORTED: [
    'This runtime has no AsyncLocalStorage, which `withContext` needs.',
    'On Cloudflare Workers set the compatibility flag `nodejs_compat`.',
  ],
  CONTEXT_INVALID: [
    'A correlation ID or a deadline that `withContext` was given is malformed.',
    'A correlation ID is 1 to 128 printable ASCII characters without spaces; a deadline is a Date or milliseconds since the epoch.',
  ],
  HEALTH_CONFIG: [
    'A check is registered wrongly (its name, say, is taken), or an option of the checker or its endpoint cannot be.',
    'Correct what the message names.',
  ],
  HEALTH_TIMEOUT: [
    'A check gave no answer in its time. A check that ignores its signal goes on, and nobody waits for it.',
    'Look for a slow component or network before giving the check more time.',
  ],
  HEALTH_UNAVAILABLE: [
    'Critical components still failed when the time of `verifyStartup` was over.',
    'The message names each with its reason: see there.',
  ],
  INFRASTRUCTURE_UNAVAILABLE: [
    'Some backends could not be connected by `warm`, or did not close cleanly.',
    'The message says why of each, and `cause.errors` has their own errors. A call to a backend that failed tries again.',
  ],
  KAFKA_NOT_FOUND: [
    'There is no such topic, partition or consumer instance, or the offset is out of range.',
    'Create the topic first; topics are not created by sending to them unless the broker is set up so.',
  ],
  KAFKA_CONFLICT: [
    'The group has rebalanced and a partition of the commit belongs to another member, the name of the instance is taken, or the topic exists.',
    'After a rebalance nothing was committed: read on, what was not committed comes again. Give instances names of their own.',
  ],
  KAFKA_INVALID: [
    'A message, a topic or an option is malformed, a message is larger than the broker takes, or two polls of one consumer run at once.',
    'Correct the call. For larger messages raise `message.max.bytes` of the topic and `maxRequestBytes` of the adapter.',
  ],
  KEYVAULT_NOT_FOUND: [
    'There is no such secret or version, or it has been deleted.',
    'Look at `listSecrets`, and at `listDeletedSecrets` for what can be recovered.',
  ],
  KEYVAULT_CONFLICT: [
    'A deleted secret has the name, or the vault is still busy with an earlier operation on it.',
    'Recover or purge the deleted secret first, or wait until the vault is done.',
  ],
  KEYVAULT_FORBIDDEN: [
    'The credentials lack the permission, a firewall or policy of the vault refuses, or the secret is disabled, expired or not valid yet: `whyUnusable` tells.',
    'Grant the permission, or make a new version of the secret. `ignoreValidity` reads an expired one.',
  ],
  MONGODB_CONFLICT: [
    'A unique index has the value already (the message names the index), or another operation changed the document at the same time.',
    'Choose another value or update what is there. A write conflict in a transaction passes: run the transaction again.',
  ],
  MONGODB_INVALID: [
    'A document, filter, update or option is malformed, an operator is not allowed, a document is too large or too deep, or it fails the validation of the collection.',
    'Correct the call; repeating it gives the same error.',
  ],
  MONGODB_NOT_FOUND: [
    'The cursor is gone (read too slowly, or closed), or the collection or index does not exist and the operation needs it.',
    'Run the query again. Reads of a missing collection are no error: they give nothing.',
  ],
  REDIS_NOT_FOUND: [
    'There is no such key, script, stream or consumer group, and the command needs it.',
    'Create it first. Reads of a missing key are no error: they give null.',
  ],
  REDIS_CONFLICT: [
    'The stream ID is not above the last one, the consumer group exists, or a watched key has changed.',
    'Read the state again and decide anew.',
  ],
  REDIS_INVALID: [
    'An argument is malformed, the key holds another kind of value (WRONGTYPE), the keys of one command are in different slots of a cluster (CROSSSLOT), or the server found an error in the command.',
    'Correct the call. On a cluster give keys that belong together a common {hash tag}.',
  ],
  SCYLLADB_NOT_FOUND: [
    'There is no such keyspace, table, column or type, or there is no row where one was asked for.',
    'Create it first, or ask for rows that need not be there. A statement prepared before a change of the schema is prepared again by itself.',
  ],
  SCYLLADB_CONFLICT: [
    'It exists already. A lightweight transaction that is not applied is no error: `applied` says so.',
    'Create it with IF NOT EXISTS.',
  ],
  SCYLLADB_INVALID: [
    'A statement, a parameter or an option is malformed, a paging state is not one of this query, or a batch is larger than the server takes.',
    'Correct the call; repeating it gives the same error.',
  ],
  SCYLLADB_UNAVAILABLE: [
    'No host answered, or fewer replicas than the consistency level asks for are up.',
    'See that the hosts of the local data centre run. Repeat a write only if `outcome` is `not-applied`.',
  ],
  SERVER_CONFIG: [
    'The server of `dualport/node` cannot listen at this host and port; `cause` is Node’s own error.',
    'Take another port or stop the program that has it; the host must be an address of this machine.',
  ],
  SQL_NOT_FOUND: [
    'There is no such table, column, procedure or database, or no row where `one` asks for it.',
    'Create it first, or ask by `maybeOne`, which gives null.',
  ],
  SQL_CONFLICT: [
    'A unique or foreign key does not allow it (the message names the key, never the value), or the statement was the victim of a deadlock, which undid its whole transaction.',
    'Choose another value or read the state again. After a deadlock, `retryable`, run the transaction again: `transaction(work, { retries })` does.',
  ],
  SQL_INVALID: [
    'The statement has an error, a value does not fit its column or breaks a check or NOT NULL, or what was to be sent was refused here: values inside of quotes, placeholders of one’s own, undefined.',
    'Correct the call; repeating it gives the same error.',
  ],
  SQL_TIMEOUT: [
    'No answer came by the deadline, no connection of the pool was free in time, or a lock was not free in time. The statement was stopped at the server.',
    'The message says which. Look for long transactions before making the pool larger. A write whose `outcome` is `unknown` may have been applied.',
  ],
  SQL_CLOSED: [
    'The client has been closed, or the transaction is over: a statement of it was stopped, or the server has undone it.',
    'Close a client when the process ends, not when a request does. Run the transaction again as a whole.',
  ],
}

const components: Readonly<Record<string, readonly ErrorKind[]>> = {
  cache: ['config'],
  config: ['config'],
  context: ['invalid', 'unsupported'],
  gateway: ['config', 'internal', 'invalid', 'not-found', 'timeout', 'unauthenticated'],
  health: ['aborted', 'config', 'invalid', 'timeout', 'unavailable'],
  infrastructure: ['unavailable'],
  kafka: Object.keys(byKind) as ErrorKind[],
  keyvault: Object.keys(byKind) as ErrorKind[],
  mongodb: Object.keys(byKind) as ErrorKind[],
  redis: Object.keys(byKind) as ErrorKind[],
  scylladb: Object.keys(byKind) as ErrorKind[],
  server: ['config'],
  sql: Object.keys(byKind) as ErrorKind[],
}

/** Every code that an `InfraError` can have, with what it means and what to do. */
export const errorCodes: Readonly<Record<string, ErrorDescription>> = Object.fromEntries(
  Object.entries(components).flatMap(([component, kinds]) =>
    kinds.map((kind) => {
      const code = codeOf(component, kind)
      const [description, remedy] = special[code] ?? byKind[kind]
      return [code, { code, component, kind, description, remedy }]
    }),
  ),
)
