import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { type SecureContext, TLSSocket } from 'node:tls'
import { packetType, toPackets } from './packets.ts'

/**
 * TLS as TDS 7 has it: the handshake travels in PRELOGIN packets, and what follows it travels bare.
 * https://learn.microsoft.com/openspecs/windows_protocols/ms-tds/f20cc2ef-a675-4ac6-9ee5-14a3ea25e4ff
 */
export function secure(socket: Socket, secureContext: SecureContext): TLSSocket {
  let wrapped = true
  let waiting = Buffer.alloc(0)
  let flight: Buffer[] = []

  const inner = new Duplex({
    read: () => void socket.resume(),
    write: (chunk: Buffer, _encoding, callback) => {
      if (!wrapped) {
        socket.write(chunk, callback)
        return
      }
      // Clients expect one message for each of theirs.
      if (flight.length === 0) setImmediate(sendFlight)
      flight.push(chunk)
      callback()
    },
    final: (callback) => {
      socket.end()
      callback()
    },
    destroy: (error, callback) => {
      socket.destroy()
      callback(error)
    },
  })

  function sendFlight(): void {
    const payload = Buffer.concat(flight)
    flight = []
    if (socket.destroyed) return
    const packets = toPackets(packetType.prelogin, payload, {
      size: 4096,
      last: true,
      spid: 0,
      id: 1,
    })
    socket.write(Buffer.concat(packets))
  }

  function pass(chunk: Buffer): void {
    if (!inner.push(chunk)) socket.pause()
  }

  socket.on('data', (chunk: Buffer) => {
    if (!wrapped) {
      pass(chunk)
      return
    }
    waiting = Buffer.concat([waiting, chunk])
    while (waiting.length >= 8 && waiting[0] === packetType.prelogin) {
      const length = waiting.readUInt16BE(2)
      if (waiting.length < length) return
      pass(waiting.subarray(8, length))
      waiting = waiting.subarray(length)
    }
    if (waiting.length === 0 || waiting[0] === packetType.prelogin) return
    wrapped = false
    pass(waiting)
  })
  socket.once('end', () => inner.push(null))
  socket.once('close', () => inner.destroy())
  const cleartext = new TLSSocket(inner, { isServer: true, secureContext })
  cleartext.on('error', () => socket.destroy())
  return cleartext
}
