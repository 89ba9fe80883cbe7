import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import t from 'tap'
import { remoteOf } from '../../dist/host/socket-transport.js'
import { certificate, dial, startListener, tls } from './sockets.js'
import { testTransport } from './transport-contract.js'

for (const [name, options] of [
  ['a TCP socket', {}],
  ['a TLS socket', { tls }],
] as const) {
  testTransport(t, name, async () => {
    const { listener, accepted, port } = await startListener(options)
    const far = await dial(port, 'tls' in options)
    const { transport, handler } = await accepted()
    void listener.close()
    return { transport, handler, far, canBeSlow: true }
  })
}

t.test('listener - close() is done when the last connection has gone, with sockets that were wrapped anew', async (t) => {
  for (const options of [{}, { tls }]) {
    const { listener, accepted, port } = await startListener(options)
    const far = await dial(port, 'tls' in options)
    const { transport, handler } = await accepted()
    far.write(Buffer.from('x'))
    await handler.until(() => handler.size === 1)
    let isClosed = false
    const closed = listener.close().then(() => {
      isClosed = true
    })
    await new Promise((resolve) => setImmediate(resolve))
    t.notOk(isClosed)
    t.match(await connectError(port), { code: 'ECONNREFUSED' })
    transport.end()
    far.end()
    await far.read(1)
    await closed
    t.ok(isClosed)
  }
})

t.test('listener - many connections at once read into one place, and none sees the bytes of another', async (t) => {
  const { listener, accepted, port } = await startListener()
  const count = 40
  const pairs = await Promise.all(
    Array.from({ length: count }, async () => {
      const far = await dial(port, false)
      return far
    }),
  )
  const handlers = []
  for (let i = 0; i < count; i++) handlers.push(await accepted())
  const sent = new Map<string, Buffer>()
  for (const [i, far] of pairs.entries()) {
    const bytes = Buffer.alloc(200_000 + i * 999, i + 1)
    sent.set(`127.0.0.1:${far.socket.localPort}`, bytes)
    for (let at = 0; at < bytes.length; at += 7_777) far.write(bytes.subarray(at, at + 7_777))
  }
  for (const { transport, handler } of handlers) {
    const bytes = sent.get(transport.remote)!
    await handler.until(() => handler.size >= bytes.length)
    t.ok(handler.bytes.equals(bytes), transport.remote)
    t.equal(transport.local, true)
    transport.destroy()
  }
  await listener.close()
})

t.test('listener - localhost is listened to at both of its addresses, on one port', async (t) => {
  const { listener, accepted, port } = await startListener({ host: 'localhost' })
  await dial(port, false, '127.0.0.1')
  const transports = [(await accepted()).transport]
  t.equal(listener.address.address, '127.0.0.1')
  const six = await dial(port, false, '::1').catch((error: NodeJS.ErrnoException) => error)
  if (six instanceof Error) t.match(six, { code: /EADDRNOTAVAIL|EAFNOSUPPORT|ECONNREFUSED/ }, 'this machine has no ::1')
  else {
    const { transport } = await accepted()
    t.ok(transport.local)
    transports.push(transport)
  }
  for (const transport of transports) transport.destroy()
  await listener.close()
})

t.test('listener - a port that is taken is an error with its code, and nothing is left listening', async (t) => {
  const other = createServer()
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
  const { port } = other.address() as AddressInfo
  for (const host of ['127.0.0.1', 'localhost']) await t.rejects(startListener({ host, port }), { code: 'EADDRINUSE' })
  other.close()
  await once(other, 'close')
  const { listener } = await startListener({ host: 'localhost', port })
  await listener.close()
})

t.test('listener - a reset of the other end closes the connection with its reason', async (t) => {
  const { listener, accepted, port } = await startListener()
  const far = await dial(port, false)
  const { handler } = await accepted()
  far.socket.resetAndDestroy()
  await handler.until(() => handler.told.includes('closed'))
  t.same(handler.told, ['closed'])
  await listener.close()
})

t.test('socket transport - a remote end has a name that says where its port begins', async (t) => {
  const name = (remoteAddress: string | undefined) => remoteOf({ remoteAddress, remotePort: 7 } as Socket)
  t.equal(name('10.0.0.1'), '10.0.0.1:7')
  t.equal(name('::ffff:10.0.0.1'), '10.0.0.1:7')
  t.equal(name('2001:db8::1'), '[2001:db8::1]:7')
  t.equal(name(undefined), '?:7')
})

t.test('TLS - a client that trusts the authority gets through, one that does not ends the handshake', async (t) => {
  const { listener, accepted, port } = await startListener({ tls })
  const far = await dial(port, true)
  const { transport } = await accepted()
  t.ok(transport.tls)
  transport.destroy()
  far.destroy()
  const refused = connectTls({ port, host: '127.0.0.1', servername: 'localhost' })
  const [error] = (await once(refused, 'error')) as [NodeJS.ErrnoException]
  t.match(error.code, /UNABLE_TO_VERIFY_LEAF_SIGNATURE|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_GET_ISSUER_CERT_LOCALLY/)
  const elsewhere = connectTls({ port, host: '127.0.0.1', servername: 'example.org', ca: certificate('authority.pem') })
  const [other] = (await once(elsewhere, 'error')) as [NodeJS.ErrnoException]
  t.equal(other.code, 'ERR_TLS_CERT_ALTNAME_INVALID')
  await listener.close()
})

t.test('TLS - versions before 1.2 are refused', async (t) => {
  const { listener, port } = await startListener({ tls })
  const socket = connectTls({
    port,
    host: '127.0.0.1',
    ca: certificate('authority.pem'),
    servername: 'localhost',
    maxVersion: 'TLSv1.1',
    minVersion: 'TLSv1',
    ciphers: 'DEFAULT@SECLEVEL=0',
  })
  const [error] = (await once(socket, 'error')) as [Error]
  t.ok(error)
  await listener.close()
})

t.test('TLS - with an authority for clients, only those with a certificate of it get through', async (t) => {
  const { listener, accepted, port, log } = await startListener({ tls: { ...tls, ca: certificate('authority.pem') } })
  const base = { port, host: '127.0.0.1', ca: certificate('authority.pem'), servername: 'localhost' }
  const known = connectTls({ ...base, key: certificate('client.key'), cert: certificate('client.pem') })
  const { handler, transport } = await accepted()
  known.write('x')
  await handler.until(() => handler.size === 1)
  transport.destroy()
  const stranger = connectTls(base)
  await closeOf(stranger)
  t.ok(log.includes('tls-failed'))
  await listener.close()
})

t.test('TLS - who speaks something else, or nothing, is gone after the time of the handshake', async (t) => {
  const { listener, port, log } = await startListener({ tls, handshakeMs: 100 })
  const talking = connect({ port, host: '127.0.0.1' })
  talking.write('GET / HTTP/1.1\r\n\r\n')
  talking.resume()
  const silent = connect({ port, host: '127.0.0.1' })
  silent.resume()
  await Promise.all([closeOf(talking), closeOf(silent)])
  t.ok(log.filter((event) => event === 'tls-failed').length >= 1)
  await listener.close()
})

/** However it comes about. */
function closeOf(socket: Socket): Promise<void> {
  socket.on('error', () => undefined)
  return new Promise((resolve) => socket.once('close', () => resolve()))
}

function connectError(port: number): Promise<Error> {
  return new Promise((resolve, reject) => {
    const socket: Socket = connect({ port, host: '127.0.0.1' })
    socket.once('error', resolve)
    socket.once('connect', () => reject(new Error('it listens')))
  })
}
