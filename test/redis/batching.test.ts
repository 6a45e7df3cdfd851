import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { expect, test } from 'vitest'
import { ioredis } from '../../adapters/redis/ioredis.ts'
import { Redis } from '../../src/redis/index.ts'

/** Answers every command with its key, and keeps what came in one piece as one piece. */
async function server() {
  const pieces: string[][] = []
  const listener = createServer((socket) => {
    socket.on('data', (data) => {
      const keys = Array.from(
        data.toString().matchAll(/\$3\r\nGET\r\n\$\d+\r\n(\w+)\r\n/g),
        (m) => m[1] ?? '',
      )
      pieces.push(keys)
      socket.write(keys.map((key) => `$${key.length}\r\n${key}\r\n`).join(''))
    })
  })
  await once(listener.listen(0, '127.0.0.1'), 'listening')
  const { port } = listener.address() as AddressInfo
  const redis = new Redis(ioredis({ port }), { logger: false })
  return {
    redis,
    pieces,
    async [Symbol.asyncDispose]() {
      await redis.close()
      await once(listener.close(), 'close')
    },
  }
}

const keysOf = (count: number) => Array.from({ length: count }, (_, i) => `k${i}`)

test('the commands of a tick leave in one write, in order', async () => {
  await using there = await server()
  await there.redis.get('first')
  const keys = keysOf(50)
  expect(await Promise.all(keys.map((key) => there.redis.get(key)))).toEqual(keys)
  expect(there.pieces).toEqual([['first'], keys])
})

test('a tick of very many keeps its order', async () => {
  await using there = await server()
  await there.redis.get('first')
  const keys = keysOf(1000)
  expect(await Promise.all(keys.map((key) => there.redis.get(key)))).toEqual(keys)
  expect(there.pieces.flat()).toEqual(['first', ...keys])
})
