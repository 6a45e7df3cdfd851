import { DriverFailure, type ItemResult, isInfraError } from '../core/index.ts'
import { raw } from '../redis/commands.ts'
import { unseal } from '../redis/envelope.ts'
import { type Arg, type Command, type Redis, type Reply, ReplyError } from '../redis/index.ts'
import { isRead } from '../redis/reads.ts'
import { type Access, type Answer, type Call, type Face, type Failed, Refusal } from './face.ts'
import { toBase64Json, toJson, toResp2 } from './redis-replies.ts'
import { subscribe } from './redis-subscribe.ts'

/** The Upstash Redis REST protocol. https://upstash.com/docs/redis/features/restapi */
export function redisFace(redis: Redis): Face {
  const listen = (call: Call) => subscribe(redis, call, false)
  const listenToPatterns = (call: Call) => subscribe(redis, call, true)
  const run = (call: Call) => single(redis, call)
  return {
    name: 'redis',
    routes: {
      '/pipeline': { POST: (call) => batch(redis, call, false) },
      '/multi-exec': { POST: (call) => batch(redis, call, true) },
      '/subscribe/*': { GET: listen, POST: listen },
      '/psubscribe/*': { GET: listenToPatterns, POST: listenToPatterns },
      '/*': { GET: run, POST: run, PUT: run },
    },
    failure,
  }
}

async function single(redis: Redis, call: Call): Promise<Answer> {
  const format = formatOf(call.request)
  const args = permit(await commandOf(call), call.access)
  const reply = await redis.command(args, { ...call.options, bytes: true })
  return format === 'resp2' ? resp2([reply]) : json(item(reply, format))
}

async function batch(redis: Redis, call: Call, atomic: boolean): Promise<Answer> {
  const asked = formatOf(call.request)
  const format = atomic && asked === 'resp2' ? 'json' : asked
  const commands = await call.json()
  if (!Array.isArray(commands)) throw new Refusal('invalid', 'the body is not an array of commands')
  if (commands.length === 0) throw new Refusal('invalid', 'there is no command')
  if (commands.length > call.limits.commands) {
    throw new Refusal('invalid', `there are more than ${call.limits.commands} commands`, 413)
  }
  const batch = atomic ? redis.transaction() : redis.pipeline()
  const failed = new Map<number, Failed>()
  for (const [i, command] of commands.entries()) {
    try {
      batch.command(permit(fromJson(command), call.access), { bytes: true })
    } catch (error) {
      // Of a pipeline the others still run; a transaction is discarded as a whole.
      if (atomic || !(error instanceof Refusal || isInfraError(error))) throw error
      failed.set(i, error)
    }
  }
  const results: readonly ItemResult<Reply>[] = await batch.settle(call.options)
  let next = 0
  const replies = commands.map((_, i) => {
    const refusal = failed.get(i)
    if (refusal !== undefined) return new ReplyError(textOf(refusal))
    const result = results[next++] as ItemResult<Reply>
    if (result.status === 'fulfilled') return result.value
    failed.set(i, result.reason)
    return new ReplyError(textOf(result.reason))
  })
  const answer =
    format === 'resp2'
      ? resp2(replies)
      : json(`[${replies.map((reply) => item(reply, format)).join(',')}]`)
  return { ...answer, failedItems: failed }
}

// Commands ---------------------------------------------------------------------------------------

/** `["SET","k","v"]` as the body, or `/set/k?EX=100` with the value as the body. */
async function commandOf(call: Call): Promise<Arg[]> {
  const path: Arg[] = call.segments('/redis')
  const { method } = call.request
  if (path.length === 0) {
    if (method !== 'POST') throw new Refusal('invalid', 'there is no command')
    return fromJson(await call.json())
  }
  if (method === 'POST' || method === 'PUT') {
    const body = await call.body()
    if (body.length > 0) path.push(body)
  }
  for (const [name, value] of new URL(call.request.url).searchParams) {
    if (name === '_token') continue
    path.push(name)
    if (value !== '') path.push(value)
  }
  return path
}

function fromJson(command: unknown): Arg[] {
  if (!Array.isArray(command)) throw new Refusal('invalid', 'a command is not an array')
  const args = command.map((arg: unknown) => {
    if (typeof arg === 'string' || typeof arg === 'number') return arg
    if (typeof arg === 'boolean') return String(arg)
    throw new Refusal(
      'invalid',
      arg === null
        ? 'null args are not supported'
        : 'an argument is not a string, number or boolean',
    )
  })
  return unseal(args) ?? args
}

/** Commands that look after the server, not after data. Those that change the connection are refused by `raw`. */
const administration = new Set(
  (
    'ACL BGREWRITEAOF BGSAVE CLUSTER COMMANDLOG CONFIG DEBUG FAILOVER LATENCY MIGRATE MODULE PFDEBUG ' +
    'PFSELFTEST REPLICAOF RESTORE-ASKING SAVE SENTINEL SHUTDOWN SLAVEOF SLOWLOG'
  ).split(' '),
)
const administrationOf: Readonly<Record<string, ReadonlySet<string>>> = {
  FUNCTION: new Set(['KILL']),
  SCRIPT: new Set(['DEBUG', 'KILL']),
}

/** As the hosted service says it. */
function notAvailable([name]: readonly Arg[]): string {
  return `Command is not available: '${name}'`
}

/** @throws Refusal for what no token may do, or not this one. */
function permit(command: readonly Arg[], access: Access): readonly Arg[] {
  let spec: Command
  try {
    spec = raw(command)
  } catch (error) {
    if (!(error instanceof DriverFailure)) throw error
    const { kind } = error.failure
    throw new Refusal(kind, kind === 'unsupported' ? notAvailable(command) : error.message)
  }
  const { args, blocking } = spec
  const name = String(args[0])
  const subcommands = administrationOf[name]
  if (administration.has(name) || subcommands?.has(String(args[1]).toUpperCase()) || blocking) {
    throw new Refusal('unsupported', notAvailable(args))
  }
  if (access === 'read' && !isRead(name)) {
    throw new Refusal('forbidden', `this token has no permissions to run the '${name}' command`)
  }
  return args
}

// Answers ----------------------------------------------------------------------------------------

type Format = 'json' | 'base64' | 'resp2'

function formatOf({ headers }: Request): Format {
  const encoding = headers.get('upstash-encoding')
  const format = headers.get('upstash-response-format') ?? 'json'
  if (encoding !== null && encoding !== 'base64') {
    throw new Refusal('invalid', 'Upstash-Encoding is not base64')
  }
  if (format !== 'json' && format !== 'resp2') {
    throw new Refusal('invalid', 'Upstash-Response-Format is not json or resp2')
  }
  if (encoding === null) return format
  if (format === 'resp2') throw new Refusal('invalid', 'resp2 goes without Upstash-Encoding')
  return encoding
}

function item(reply: Reply | ReplyError, format: 'json' | 'base64'): string {
  if (reply instanceof ReplyError) return `{"error":${JSON.stringify(reply.message)}}`
  return `{"result":${format === 'base64' ? toBase64Json(reply) : toJson(reply)}}`
}

/** One engine behind one gateway: what was written is there for every read after it, whatever the token. */
const headers = { 'upstash-sync-token': '0' }

function json(body: string): Answer {
  return { type: 'application/json', body, headers }
}

function resp2(replies: readonly (Reply | ReplyError)[]): Answer {
  return { type: 'application/octet-stream', body: toResp2(replies), headers }
}

function failure(error: Failed, request: Request): Answer {
  const reply = new ReplyError(textOf(error))
  const plain = request.headers.get('upstash-response-format') !== 'resp2'
  return {
    ...(plain ? json(item(reply, 'json')) : resp2([reply])),
    status: isReply(error) ? 400 : undefined,
  }
}

/** The engine's own words, since users of the protocol look for them, or else ours, which begin as Redis' do. */
function textOf(error: Failed): string {
  if (isReply(error)) return error.native.message
  if (error.kind === 'forbidden') return `NOPERM ${error.message}`
  if (error.kind === 'unauthenticated') return `WRONGPASS ${error.message}`
  return `ERR ${error.message}`
}

function isReply(error: Failed): error is Failed & { native: ReplyError } {
  return isInfraError(error) && error.native instanceof ReplyError
}
