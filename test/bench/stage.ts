import { fileURLToPath } from 'node:url'
import { type CassandraProcess, startCassandra } from '../engines/cassandra.ts'
import { type KafkaProcess, startKafka } from '../engines/kafka.ts'
import { type MysqlProcess, startMysql } from '../engines/mariadb.ts'
import { type MongodbProcess, startMongodb } from '../engines/mongodb.ts'
import { type EngineProcess, freePort, startProcess, until } from '../engines/process.ts'
import { type RedisProcess, startRedis } from '../engines/redis.ts'

/** The servers behind the figures, each a process of its own, started when the first figure needs it. */
export class Stage {
  #redis: Promise<RedisProcess> | undefined
  #kafka: Promise<KafkaProcess> | undefined
  #mongodb: Promise<MongodbProcess> | undefined
  #mysql: Promise<MysqlProcess> | undefined
  #cassandra: Promise<CassandraProcess> | undefined
  #gateway: Promise<Gateway> | undefined
  #kafkaGateway: Promise<Gateway> | undefined
  #mongodbGateway: Promise<Gateway> | undefined
  #scylladbGateway: Promise<Gateway> | undefined

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

  /** A FerretDB. */
  mongodb(): Promise<MongodbProcess> {
    this.#mongodb ??= startMongodb()
    return this.#mongodb
  }

  /** A MariaDB. */
  mysql(): Promise<MysqlProcess> {
    this.#mysql ??= startMysql()
    return this.#mysql
  }

  cassandra(): Promise<CassandraProcess> {
    this.#cassandra ??= startCassandra()
    return this.#cassandra
  }

  /** What `npm start` starts, over `redis()`. */
  gateway(): Promise<Gateway> {
    this.#gateway ??= this.redis().then(({ url }) => startGateway('redis', [`REDIS_URL=${url}`]))
    return this.#gateway
  }

  /** The same over `kafka()`. */
  kafkaGateway(topic: string): Promise<Gateway> {
    this.#kafkaGateway ??= this.kafka(topic).then((brokers) =>
      startGateway('kafka/topics', [`KAFKA_BROKERS=${brokers.join()}`]),
    )
    return this.#kafkaGateway
  }

  /** The same over `mongodb()`. */
  mongodbGateway(): Promise<Gateway> {
    this.#mongodbGateway ??= this.mongodb().then(({ url }) =>
      startGateway('mongodb/action/ping', [`MONGODB_URL=${url}`]),
    )
    return this.#mongodbGateway
  }

  /** The same over `cassandra()`. */
  scylladbGateway(): Promise<Gateway> {
    this.#scylladbGateway ??= this.cassandra().then(({ hosts, localDataCenter }) =>
      startGateway('scylladb/ping', [
        `SCYLLADB_HOSTS=${hosts.join()}`,
        `SCYLLADB_LOCAL_DC=${localDataCenter}`,
      ]),
    )
    return this.#scylladbGateway
  }

  async stop(): Promise<void> {
    await (await this.#gateway)?.stop()
    await (await this.#kafkaGateway)?.stop()
    await (await this.#mongodbGateway)?.stop()
    await (await this.#scylladbGateway)?.stop()
    await (await this.#redis)?.stop()
    await (await this.#kafka)?.stop()
    await (await this.#mongodb)?.stop()
    await (await this.#mysql)?.stop()
    await (await this.#cassandra)?.stop()
  }
}

export interface Gateway extends EngineProcess {
  /** `http://127.0.0.1:49152/redis` */
  readonly url: string
  readonly token: string
}

/** @param path Where it answers when it is ready; its first part is in the URL. */
async function startGateway(path: string, env: readonly string[]): Promise<Gateway> {
  const port = await freePort()
  const token = 'token-of-the-benchmarks'
  const serve = fileURLToPath(new URL('../../src/runtimes/serve.ts', import.meta.url))
  const gateway = await startProcess('env', () => [
    ...[`PORT=${port}`, `GATEWAY_TOKEN=${token}`, ...env, process.execPath, serve],
  ])
  const url = `http://127.0.0.1:${port}/${path.split('/')[0]}`
  await until(async () => (await fetch(`http://127.0.0.1:${port}/${path}`)).status === 401, gateway)
  return { ...gateway, url, token }
}
