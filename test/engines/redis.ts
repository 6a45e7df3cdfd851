import { Redis as Client } from 'ioredis'
import { type EngineProcess, freePort, startProcess, until } from './process.ts'

export interface RedisServer {
  /** `redis://127.0.0.1:49152` */
  readonly url: string
  /** Runs one command over a connection of its own: to set a scene, or to see what the server holds. */
  command(...args: [string, ...(string | number | Buffer)[]]): Promise<unknown>
  stop(): Promise<void>
}

/** A server of our own, which may be paused and killed. */
export interface RedisProcess extends RedisServer {
  readonly port: number
  readonly pid: number
  /** Aborted when it has ended, for whatever reason. */
  readonly ended: AbortSignal
  /** SIGSTOP: the kernel still accepts connections and bytes, nobody answers. */
  pause(): void
  /** SIGCONT: what arrived in the meantime is answered now. */
  resume(): void
}

export interface RedisOptions {
  /** To start again where another server was. Default: a free one. */
  readonly port?: number
  readonly password?: string
  /** Further arguments: `['--maxmemory', '1mb']`. */
  readonly args?: readonly string[]
}

/** The server that REDIS_URL names, or else a process of our own. */
export async function redisServer(): Promise<RedisServer> {
  const url = process.env.REDIS_URL
  if (url === undefined) return startRedis()
  await runCommand(url, 'PING')
  return { url, command: (...args) => runCommand(url, ...args), stop: async () => {} }
}

/** Starts `redis-server`, without persistence, and resolves when it answers. */
export async function startRedis(options: RedisOptions = {}): Promise<RedisProcess> {
  for (let attempt = 1; ; attempt++) {
    const port = options.port ?? (await freePort())
    const secret = options.password === undefined ? [] : ['--requirepass', options.password]
    const server = await startProcess('redis-server', (directory) => [
      ...['--port', `${port}`, '--bind', '127.0.0.1', '--dir', directory],
      ...['--save', '', '--appendonly', 'no', ...secret, ...(options.args ?? [])],
    ])
    const user = options.password === undefined ? '' : `:${encodeURIComponent(options.password)}@`
    const url = `redis://${user}127.0.0.1:${port}`
    try {
      await until(async () => (await runCommand(url, 'PING')) === 'PONG', server)
      return redisProcess(url, port, server)
    } catch (error) {
      await server.stop()
      // Someone else may have taken the port between our look and redis-server's bind.
      if (attempt === 3) throw error
    }
  }
}

function redisProcess(url: string, port: number, server: EngineProcess): RedisProcess {
  return {
    url,
    port,
    pid: server.pid,
    ended: server.ended,
    command: (...args) => runCommand(url, ...args),
    pause: server.pause,
    resume: server.resume,
    stop: server.stop,
  }
}

export interface RedisCluster {
  /** Three masters, each with a third of the slots. */
  readonly nodes: readonly RedisProcess[]
  stop(): Promise<void>
}

/** Starts three masters in cluster mode and resolves when all three see a whole cluster. */
export async function startRedisCluster(): Promise<RedisCluster> {
  const started = await Promise.allSettled([startNode(), startNode(), startNode()])
  const members = started.flatMap((result) => (result.status === 'fulfilled' ? result.value : []))
  const nodes = members.map(({ node }) => node)
  const stop = async () => {
    await Promise.all(nodes.map((node) => node.stop()))
  }
  try {
    for (const result of started) if (result.status === 'rejected') throw result.reason
    await Promise.all(
      nodes.map(async (node, i) => {
        const from = Math.round((i * 16_384) / nodes.length)
        const to = Math.round(((i + 1) * 16_384) / nodes.length) - 1
        await node.command('CLUSTER', 'SET-CONFIG-EPOCH', i + 1)
        await node.command('CLUSTER', 'ADDSLOTSRANGE', from, to)
        for (const { node: other, busPort } of members.slice(0, i)) {
          await node.command('CLUSTER', 'MEET', '127.0.0.1', other.port, busPort)
        }
      }),
    )
    await Promise.all(nodes.map((node) => until(() => seesAll(node, nodes.length), node)))
    return { nodes, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

async function startNode(): Promise<{ node: RedisProcess; busPort: number }> {
  // Not the default, which is the client port + 10000 and may not exist.
  const busPort = await freePort()
  const args = ['--cluster-enabled', 'yes', '--cluster-port', `${busPort}`]
  return { node: await startRedis({ args }), busPort }
}

async function seesAll(node: RedisProcess, size: number): Promise<boolean> {
  const info = String(await node.command('CLUSTER', 'INFO'))
  return info.includes('cluster_state:ok') && info.includes(`cluster_size:${size}\r`)
}

async function runCommand(
  url: string,
  ...[name, ...args]: [string, ...(string | number | Buffer)[]]
): Promise<unknown> {
  const client = new Client(url, { lazyConnect: true, retryStrategy: () => null })
  // The command's own rejection says it; without a listener ioredis prints it as well.
  client.on('error', () => {})
  try {
    await client.connect()
    return await client.call(name, ...args)
  } finally {
    client.disconnect()
  }
}
