import { once } from 'node:events'
import { createServer, type Socket, connect as tcpConnect } from 'node:net'
import { afterAll, beforeEach, expect, onTestFinished, test } from 'vitest'
import { type ChaosProxy, startProxy } from './proxy.ts'

/** Answers every chunk with itself in capitals. */
const seen: string[] = []
const upstream = createServer((socket) => {
  socket.on('data', (chunk) => {
    seen.push(`${chunk}`)
    socket.write(`${chunk}`.toUpperCase())
  })
  socket.on('error', () => {})
}).listen(0, '127.0.0.1')
await once(upstream, 'listening')
afterAll(() => void upstream.close())

let proxy: ChaosProxy
beforeEach(async () => {
  seen.length = 0
  proxy = await startProxy((upstream.address() as { port: number }).port)
  return () => proxy.close()
})

async function connect(): Promise<Socket> {
  const socket = tcpConnect(proxy.port, '127.0.0.1')
  onTestFinished(() => void socket.destroy())
  await once(socket, 'connect')
  return socket
}

/** What the next `length` characters of the reply are. */
async function read(socket: Socket, length: number): Promise<string> {
  let reply = ''
  while (reply.length < length) reply += (await once(socket, 'data'))[0]
  return reply
}

test('pass: forwards both ways, records and counts', async () => {
  const socket = await connect()
  socket.write('hello')
  expect(await read(socket, 5)).toBe('HELLO')
  expect(proxy.connections).toBe(1)
  expect(proxy.open).toBe(1)
  expect(Buffer.concat(proxy.received).toString()).toBe('hello')
})

test('pass: large replies survive, and a client that leaves closes the link', async () => {
  const socket = await connect()
  socket.write('x'.repeat(1_000_000))
  expect(await read(socket, 1_000_000)).toBe('X'.repeat(1_000_000))
  socket.end()
  await once(socket, 'close')
  await expect.poll(() => proxy.open).toBe(0)
})

test('delay: the reply comes whole and in order', async () => {
  await proxy.setMode({ delayMs: 20 })
  const socket = await connect()
  socket.write('a')
  await once(proxy, 'reply')
  await proxy.setMode('pass')
  socket.write('b')
  expect(await read(socket, 2)).toBe('AB')
})

test('drip: the reply comes in pieces', async () => {
  await proxy.setMode({ dripBytes: 2 })
  const socket = await connect()
  let pieces = 0
  socket.on('data', () => pieces++)
  socket.write('abcdefgh')
  expect(await read(socket, 8)).toBe('ABCDEFGH')
  expect(pieces).toBeGreaterThan(1)
})

test('cut: the server has done its work, the client hears nothing of it', async () => {
  const socket = await connect()
  await proxy.setMode('cut')
  socket.resume().write('incr')
  await once(socket, 'close')
  expect(seen).toEqual(['incr'])
  expect(socket.bytesRead).toBe(0)
})

test('reset: the client gets RST and the server nothing', async () => {
  const socket = await connect()
  await proxy.setMode('reset')
  const failed = new Promise<Error>((resolve) => socket.once('error', resolve))
  socket.resume().write('incr')
  expect(await failed).toMatchObject({ code: 'ECONNRESET' })
  expect(seen).toEqual([])
})

test('blackhole: holds everything until the mode changes', async () => {
  await proxy.setMode('blackhole')
  const socket = await connect()
  const arrived = once(proxy, 'request')
  socket.write('hello')
  await arrived
  expect(seen).toEqual([])
  await proxy.setMode('pass')
  expect(await read(socket, 5)).toBe('HELLO')
})

test('garbage: answers with what is no protocol', async () => {
  await proxy.setMode('garbage')
  const socket = await connect()
  socket.write('ping')
  expect((await read(socket, 1)).charCodeAt(0)).toBe(0)
  expect(seen).toEqual([])
})

test('refuse: resets what is open and listens on the same port again later', async () => {
  const socket = await connect()
  const failed = new Promise<Error>((resolve) => socket.once('error', resolve))
  socket.resume()
  await proxy.setMode('refuse')
  expect(await failed).toMatchObject({ code: 'ECONNRESET' })
  await expect(connect()).rejects.toMatchObject({ code: 'ECONNREFUSED' })

  await proxy.setMode('pass')
  const again = await connect()
  again.write('x')
  expect(await read(again, 1)).toBe('X')
})

test('disconnect ends open connections and accepts new ones', async () => {
  const socket = await connect()
  socket.resume()
  await expect.poll(() => proxy.open).toBe(1)
  proxy.disconnect()
  await once(socket, 'close')
  await connect()
  await expect.poll(() => proxy.connections).toBe(2)
})
