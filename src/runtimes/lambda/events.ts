import { isUtf8 } from 'node:buffer'
import * as v from 'valibot'

// Not `hono/aws-lambda`: it takes anything for a request (`{}` becomes a GET), prints what it cannot read,
// knows no stages and leaves out the status that a load balancer wants. It is deprecated besides.

/** The body of a reply as every source of HTTP events takes it. */
interface Body {
  readonly statusCode: number
  /** Base64 if `isBase64Encoded`. */
  readonly body: string
  readonly isBase64Encoded: boolean
}

/** What the invocation returns for an HTTP event. */
export interface HttpResult extends Body {
  readonly headers?: Readonly<Record<string, string>>
  readonly multiValueHeaders?: Readonly<Record<string, readonly string[]>>
  /** API Gateway v2 and function URLs. */
  readonly cookies?: readonly string[]
  /** Load balancers. */
  readonly statusDescription?: string
}

/** An HTTP event as a request, and the way back. */
export interface Exchange {
  readonly request: Request
  toResult(response: Response): Promise<HttpResult>
}

const single = v.nullish(v.record(v.string(), v.nullish(v.string())))
const multiple = v.nullish(v.record(v.string(), v.nullish(v.array(v.string()))))
const headerFields = v.object({ headers: single, multiValueHeaders: multiple })
const body = { body: v.nullish(v.string()), isBase64Encoded: v.nullish(v.boolean()) }

/** API Gateway's HTTP APIs by payload format 2.0, and function URLs. */
const v2Event = v.object({
  version: v.literal('2.0'),
  rawPath: v.string(),
  rawQueryString: v.nullish(v.string()),
  cookies: v.nullish(v.array(v.string())),
  ...headerFields.entries,
  requestContext: v.object({
    http: v.object({ method: v.string() }),
    stage: v.nullish(v.string()),
  }),
  ...body,
})

/** API Gateway's REST APIs, HTTP APIs by payload format 1.0, and load balancers. */
const v1Event = v.object({
  version: v.nullish(v.string()),
  httpMethod: v.string(),
  path: v.string(),
  queryStringParameters: single,
  multiValueQueryStringParameters: multiple,
  ...headerFields.entries,
  requestContext: v.nullish(
    v.object({ elb: v.optional(v.unknown()), stage: v.nullish(v.string()) }),
  ),
  ...body,
})

type V2Event = v.InferInput<typeof v2Event>
type V1Event = v.InferInput<typeof v1Event>

/** `undefined` for what is no HTTP event, or holds what no request can. */
export function exchangeOf(event: unknown): Exchange | undefined {
  try {
    if (v.is(v2Event, event)) return { request: v2Request(event), toResult: v2Result }
    if (!v.is(v1Event, event)) return undefined
    if (event.requestContext?.elb === undefined) {
      return { request: v1Request(event, encodeURIComponent), toResult: v1Result }
    }
    const severalValues = event.multiValueHeaders != null
    return {
      // A load balancer leaves the query as it was sent.
      request: v1Request(event, String),
      toResult: (response) => loadBalancerResult(response, severalValues),
    }
  } catch {
    // A method, a header or a host that a Request refuses. Its error quotes it.
    return undefined
  }
}

/** The headers of an event of any kind; none if it is no HTTP event. */
export function headersOf(event: unknown): Headers {
  try {
    if (v.is(headerFields, event)) return readHeaders(event)
  } catch {
    // A header that cannot be.
  }
  return new Headers()
}

/** A rule or a schedule of EventBridge. */
export function isEventBridgeEvent(event: unknown): boolean {
  return v.is(v.object({ source: v.string(), 'detail-type': v.string() }), event)
}

function v2Request(event: V2Event): Request {
  const headers = readHeaders(event)
  if (event.cookies != null) headers.set('cookie', event.cookies.join('; '))
  return requestOf(event, {
    method: event.requestContext.http.method,
    path: withoutStage(event.rawPath, event.requestContext.stage),
    query: event.rawQueryString ?? '',
    headers,
  })
}

function v1Request(event: V1Event, encode: (text: string) => string): Request {
  const parameters = listsOf(event.multiValueQueryStringParameters, event.queryStringParameters)
  const query = parameters.flatMap(([name, values]) =>
    (values ?? []).map((value) => `${encode(name)}=${encode(value ?? '')}`),
  )
  return requestOf(event, {
    method: event.httpMethod,
    // REST APIs leave the stage out by themselves; they give no version.
    path:
      event.version == null ? event.path : withoutStage(event.path, event.requestContext?.stage),
    query: query.join('&'),
    headers: readHeaders(event),
  })
}

function requestOf(
  event: V1Event | V2Event,
  parts: { method: string; path: string; query: string; headers: Headers },
): Request {
  const { method, path, query, headers } = parts
  const url = new URL(`https://${headers.get('host') ?? 'localhost'}`)
  url.pathname = path
  url.search = query
  const body = Buffer.from(event.body ?? '', event.isBase64Encoded ? 'base64' : 'utf8')
  const mayHaveBody = method !== 'GET' && method !== 'HEAD'
  return new Request(url, { method, headers, body: mayHaveBody && body.length > 0 ? body : null })
}

/** `/health` for `/prod/health` at the stage `prod`. */
function withoutStage(path: string, stage: string | null | undefined): string {
  return stage != null && `${path}/`.startsWith(`/${stage}/`) ? path.slice(stage.length + 1) : path
}

function readHeaders(event: v.InferInput<typeof headerFields>): Headers {
  const headers = new Headers()
  const fields = listsOf(event.multiValueHeaders, event.headers)
  for (const [name, values] of fields) {
    for (const value of values ?? []) {
      // UTF-8 in a header is read byte by byte, as it is from a socket.
      if (value != null) headers.append(name, Buffer.from(value).toString('latin1'))
    }
  }
  return headers
}

type Lists = [name: string, values: readonly (string | null | undefined)[] | null | undefined][]

/** Where a source sends several values it sends the last of them as well, or nothing. */
function listsOf(several: v.InferInput<typeof multiple>, one: v.InferInput<typeof single>): Lists {
  if (several != null) return Object.entries(several)
  return Object.entries(one ?? {}).map(([name, value]) => [name, [value]])
}

async function v2Result(response: Response): Promise<HttpResult> {
  const headers = new Headers(response.headers)
  headers.delete('set-cookie')
  return {
    ...(await bodyOf(response)),
    headers: Object.fromEntries(headers),
    cookies: response.headers.getSetCookie(),
  }
}

async function v1Result(response: Response): Promise<HttpResult> {
  return { ...(await bodyOf(response)), multiValueHeaders: severalOf(response.headers) }
}

/** Of several cookies only the last fits, unless the target group has multi-value headers. */
async function loadBalancerResult(response: Response, severalValues: boolean): Promise<HttpResult> {
  // Nobody else needs it, and it takes its time to load.
  const { STATUS_CODES } = await import('node:http')
  return {
    ...(await bodyOf(response)),
    statusDescription: `${response.status} ${STATUS_CODES[response.status] ?? ''}`.trim(),
    ...(severalValues
      ? { multiValueHeaders: severalOf(response.headers) }
      : { headers: Object.fromEntries(response.headers) }),
  }
}

function severalOf(headers: Headers): Record<string, string[]> {
  const several: Record<string, string[]> = {}
  for (const [name, value] of headers) {
    several[name] ??= []
    several[name].push(value)
  }
  return several
}

/** Base64 only for what is no text: REST APIs decode it only where they are told to. */
async function bodyOf(response: Response): Promise<Body> {
  const bytes = Buffer.from(await response.arrayBuffer())
  const isBase64Encoded = !isUtf8(bytes)
  return {
    statusCode: response.status,
    body: bytes.toString(isBase64Encoded ? 'base64' : 'utf8'),
    isBase64Encoded,
  }
}
