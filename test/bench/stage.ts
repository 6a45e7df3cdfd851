import { fileURLToPath } from 'node:url'
import { type KafkaProcess, startKafka } from '../engines/kafka.ts'
import { type EngineProcess, freePort, startProcess, until } from '../engines/process.ts'
import { type RedisProcess, startRedis } from '../engines/redis.ts'

/** The servers behind the figures, each a process of its own, started when the first figure needs it. */
export class Stage {
  #redis: Promise<RedisProcess> | undefined
  #kafka: Promise<KafkaProcess> | undefined
  #gateway: Promise<Gateway> | undefined

  redis(): Promise<RedisProcess> {
    this.#redis ??= startRedis()
    return this.#redis
  }

  /** Its brokers. It has the topic, with one partition. */
  async kafka(topic: string): Promise<readonly string[]> {
    this.#kafka ??= startKafka()
    const kafka = await this.#kafka
    await kafka.createTopic(topic).catch(() => {})
    return kafka.brokers
  }

  /** What `npm start` starts, over `redis()`. */
  gateway(): Promise<Gateway> {
    this.#gateway ??= this.redis().then(startGateway)
    return this.#gateway
  }

  async stop(): Promise<void> {
    await (await this.#gateway)?.stop()
    await (await this.#redis)?.stop()
    await (await this.#kafka)?.stop()
  }
}

export interface Gateway extends EngineProcess {
  /** `http://127.0.0.1:49152/redis` */
  readonly url: string
  readonly token: string
}

async function startGateway(redis: RedisProcess): Promise<Gateway> {
  const port = await freePort()
  const token = 'token-of-the-benchmarks'
  const serve = fileURLToPath(new URL('../../src/runtimes/serve.ts', import.meta.url))
  const gateway = await startProcess('env', () => [
    ...[`PORT=${port}`, `REDIS_URL=${redis.url}`, `GATEWAY_TOKEN=${token}`],
    ...[process.execPath, serve],
  ])
  const url = `http://127.0.0.1:${port}/redis`
  await until(async () => (await fetch(url)).status === 401, gateway)
  return { ...gateway, url, token }
}
