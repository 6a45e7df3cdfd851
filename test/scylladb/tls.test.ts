import { once } from 'node:events'
import { type AddressInfo, connect } from 'node:net'
import { createServer } from 'node:tls'
import { afterAll, expect, onTestFinished, test } from 'vitest'
import { cassandraDriver, type TlsOptions } from '../../adapters/scylladb/cassandra-driver.ts'
import { selfSigned } from '../../src/gateway/keyvault-certificate.ts'
import { ScyllaDB } from '../../src/scylladb/index.ts'
import { engine, needs } from '../engines/index.ts'

const server = await engine('cassandra')
const certificate = selfSigned(['db.example', '127.0.0.1'])
const port = server.missing === undefined ? await tlsInFrontOf(server.hosts[0] as string) : 0

/** The address of a port that decrypts and passes on. */
async function tlsInFrontOf(host: string): Promise<number> {
  const [address, upstreamPort] = host.split(':')
  const tls = createServer({ cert: certificate.cert, key: certificate.key }, (socket) => {
    const upstream = connect(Number(upstreamPort), address)
    for (const each of [socket, upstream]) each.on('error', () => {})
    socket.pipe(upstream).pipe(socket)
  })
  await once(tls.listen(0, '127.0.0.1'), 'listening')
  afterAll(() => void tls.close())
  return (tls.address() as AddressInfo).port
}

function at(tls: boolean | TlsOptions): ScyllaDB {
  const { localDataCenter } = server
  const driver = cassandraDriver({ hosts: [`127.0.0.1:${port}`], localDataCenter, tls })
  const client = new ScyllaDB(driver, { logger: false, retry: false })
  onTestFinished(() => client.close())
  return client
}

test(
  'a certificate that nobody has signed is refused, unless it is trusted or not looked at',
  needs(server),
  async () => {
    const refused = { kind: 'config', outcome: 'not-applied' }
    await expect(at(true).health()).rejects.toMatchObject(refused)
    await at({ ca: certificate.cert }).health()
    await at({ ca: certificate.cert, servername: 'db.example' }).health()
    await expect(
      at({ ca: certificate.cert, servername: 'other.example' }).health(),
    ).rejects.toMatchObject(refused)
    await at({ rejectUnauthorized: false }).health()
  },
)
