/** Events as AWS sends them, by source. Each asks for the path with `?a=1&a=2&b=x%20y` and two cookies. */
export const httpEvents = {
  'API Gateway v2': (path: string) => v2Event(path),
  'API Gateway v2 at a stage': (path: string) => v2Event(`/prod${path}`, 'prod'),
  'API Gateway v1': (path: string) => ({
    resource: '/{proxy+}',
    path,
    httpMethod: 'GET',
    headers: {
      Host: 'id.execute-api.eu-west-1.amazonaws.com',
      Cookie: 'c=1; d=2',
      'x-many': 'two',
    },
    multiValueHeaders: {
      Host: ['id.execute-api.eu-west-1.amazonaws.com'],
      Cookie: ['c=1; d=2'],
      'x-many': ['one', 'two'],
    },
    queryStringParameters: { a: '2', b: 'x y' },
    multiValueQueryStringParameters: { a: ['1', '2'], b: ['x y'] },
    pathParameters: { proxy: path.slice(1) },
    stageVariables: null,
    requestContext: { stage: 'prod', path: `/prod${path}`, httpMethod: 'GET' },
    body: null,
    isBase64Encoded: false,
  }),
  'function URL': (path: string) => v2Event(path),
  'load balancer': (path: string) => ({
    requestContext: { elb: { targetGroupArn: 'arn:aws:elasticloadbalancing:...' } },
    httpMethod: 'GET',
    path,
    // Of several values it passes on the last.
    queryStringParameters: { a: '2', b: 'x%20y' },
    headers: { host: 'lb.example', cookie: 'c=1; d=2', 'x-many': 'two' },
    body: '',
    isBase64Encoded: false,
  }),
  'load balancer with multi-value headers': (path: string) => ({
    requestContext: { elb: { targetGroupArn: 'arn:aws:elasticloadbalancing:...' } },
    httpMethod: 'GET',
    path,
    multiValueQueryStringParameters: { a: ['1', '2'], b: ['x%20y'] },
    multiValueHeaders: { host: ['lb.example'], cookie: ['c=1; d=2'], 'x-many': ['one', 'two'] },
    body: '',
    isBase64Encoded: false,
  }),
}

function v2Event(rawPath: string, stage = '$default') {
  return {
    version: '2.0',
    routeKey: '$default',
    rawPath,
    rawQueryString: 'a=1&a=2&b=x%20y',
    cookies: ['c=1', 'd=2'],
    headers: { host: 'id.execute-api.eu-west-1.amazonaws.com', 'x-many': 'one,two' },
    queryStringParameters: { a: '1,2', b: 'x y' },
    requestContext: { stage, http: { method: 'GET', path: rawPath, protocol: 'HTTP/1.1' } },
    isBase64Encoded: false,
  }
}

/** A rule that runs on a schedule. */
export const scheduledEvent = {
  version: '0',
  id: '53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa',
  'detail-type': 'Scheduled Event',
  source: 'aws.events',
  account: '123456789012',
  time: '2026-11-01T00:00:00Z',
  region: 'eu-west-1',
  resources: ['arn:aws:events:eu-west-1:123456789012:rule/refresh'],
  detail: {},
}

/** What is no event of any source, or holds what no request can. */
export const malformedEvents: readonly unknown[] = [
  null,
  'GET /health',
  17,
  [],
  {},
  { version: '2.0' },
  { version: '2.0', rawPath: 17, requestContext: { http: { method: 'GET' } } },
  { version: '2.0', rawPath: '/health', requestContext: { http: {} } },
  { ...v2Event('/health'), headers: 'secret-1' },
  { ...v2Event('/health'), headers: { 'x-token': 'secret-1\r\nx: y' } },
  { ...v2Event('/health'), headers: { 'not a name': 'secret-1' } },
  { ...v2Event('/health'), headers: { host: 'secret-1 [' } },
  { ...v2Event('/health'), requestContext: { http: { method: 'secret-1 /' } } },
  { ...v2Event('/health'), cookies: { c: 1 } },
  { httpMethod: 'GET' },
  { httpMethod: 'TRACE', path: '/health' },
  { httpMethod: 'GET', path: '/health', multiValueHeaders: { 'x-token': 'secret-1' } },
  { httpMethod: 'GET', path: '/health', queryStringParameters: { a: { b: 'secret-1' } } },
  { httpMethod: 'POST', path: '/health', body: { a: 'secret-1' } },
  { Records: [{ eventSource: 'aws:sqs', body: 'secret-1' }] },
]
