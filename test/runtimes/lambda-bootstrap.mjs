// What AWS's Node.js runtime does: loads the handler, then asks for one invocation after the other.
import { request } from 'node:http'
import { pathToFileURL } from 'node:url'

const base = `http://${process.env.AWS_LAMBDA_RUNTIME_API}/2018-06-01/runtime`

function call(method, path, body) {
  return new Promise((resolve, reject) => {
    const outgoing = request(base + path, { method }, async (incoming) => {
      let text = ''
      for await (const chunk of incoming.setEncoding('utf8')) text += chunk
      resolve({ headers: incoming.headers, text })
    })
    outgoing.on('error', reject).end(body)
  })
}

const errorOf = (error) =>
  JSON.stringify({ errorType: error?.name, errorMessage: error?.message ?? String(error) })

let handler
try {
  const [file, name] = process.env._HANDLER.split('.')
  const module = await import(pathToFileURL(`${process.env.LAMBDA_TASK_ROOT}/${file}.mjs`))
  handler = module[name]
} catch (error) {
  await call('POST', '/init/error', errorOf(error))
  process.exit(1)
}

for (;;) {
  const { headers, text } = await call('GET', '/invocation/next')
  const id = headers['lambda-runtime-aws-request-id']
  const context = {
    awsRequestId: id,
    getRemainingTimeInMillis: () => Number(headers['lambda-runtime-deadline-ms']) - Date.now(),
  }
  try {
    const result = await handler(JSON.parse(text), context)
    await call('POST', `/invocation/${id}/response`, JSON.stringify(result ?? null))
  } catch (error) {
    await call('POST', `/invocation/${id}/error`, errorOf(error))
  }
}
