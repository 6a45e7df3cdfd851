import { Agent, request } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { Redis as Ioredis } from 'ioredis'
import { type Figure, inTurns, timed } from './figure.ts'

const key = 'bench'
const value = 'v'.repeat(100)
const size = 50
/** Pipelines under way at a time, on both sides; over HTTP each has a connection. */
const concurrency = 4

export const figures: Figure[] = [
  {
    name: 'gateway.pipeline50',
    bare: 'ioredis, pipeline()',
    unit: 'us',
    comparison: 'ratio',
    async measure(stage) {
      const { url, token } = await stage.gateway()
      const agent = new Agent({ keepAlive: true, maxSockets: concurrency })
      const bare = new Ioredis((await stage.redis()).url)
      const headers = { authorization: `Bearer ${token}`, 'upstash-encoding': 'base64' }
      const body = Buffer.from(JSON.stringify(Array(size).fill(['GET', key])))
      const expected = JSON.stringify(Array(size).fill({ result: btoa(value) }))

      const overHttp = () =>
        new Promise<Buffer>((resolve, reject) => {
          request(`${url}/pipeline`, { method: 'POST', agent, headers })
            .on('response', (response) => buffer(response).then(resolve, reject))
            .on('error', reject)
            .end(body)
        })
      const direct = () => {
        const pipeline = bare.pipeline()
        for (let i = 0; i < size; i++) pipeline.get(key)
        return pipeline.exec()
      }
      /** Microseconds a command. */
      const perCommand = async (run: () => Promise<unknown>) =>
        (await timed(400, concurrency, run)) / size

      try {
        await bare.set(key, value)
        if (String(await overHttp()) !== expected) throw new Error('the gateway answers otherwise')
        return await inTurns(
          25,
          () => perCommand(overHttp),
          () => perCommand(direct),
        )
      } finally {
        bare.disconnect()
        agent.destroy()
      }
    },
  },
]
