/**
 * Engines that take seconds to start, or hundreds of megabytes, are started once for all test files, when the
 * first file asks for them. This runs in vitest's main process and tells each file the address.
 */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestProject } from 'vitest/node'
import { EngineMissing } from './process.ts'

const starters = {
  kafka: async () => {
    const { kafkaServer } = await import('./kafka.ts')
    const { brokers, stop } = await kafkaServer()
    return { address: brokers.join(), stop }
  },
  mongodb: async () => {
    const { mongodbServer } = await import('./mongodb.ts')
    const { url, stop } = await mongodbServer()
    return { address: url, stop }
  },
  mysql: async () => {
    const { mysqlServer } = await import('./mariadb.ts')
    const { url, stop } = await mysqlServer()
    return { address: url, stop }
  },
  cassandra: async () => {
    const { cassandraServer } = await import('./cassandra.ts')
    const { hosts, stop } = await cassandraServer()
    return { address: hosts.join(), stop }
  },
}

export type SharedEngine = keyof typeof starters

export default async function setup(project: TestProject) {
  const started = new Map<SharedEngine, ReturnType<(typeof starters)[SharedEngine]>>()

  const start = (name: SharedEngine) => {
    const engine = started.get(name) ?? starters[name]()
    started.set(name, engine)
    return engine
  }
  const server = createServer(async (request, response) => {
    try {
      const { address } = await start(request.url?.slice(1) as SharedEngine)
      response.end(address)
    } catch (error) {
      response.statusCode = error instanceof EngineMissing ? 404 : 500
      response.end((error as Error).message)
    }
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  project.provide('engines', `http://127.0.0.1:${(server.address() as AddressInfo).port}`)

  return async () => {
    server.close()
    server.closeAllConnections()
    const engines = await Promise.allSettled(started.values())
    for (const engine of engines) if (engine.status === 'fulfilled') await engine.value.stop()
  }
}
