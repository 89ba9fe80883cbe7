/** How the tool comes to a broker and loses it: addresses, TLS, heartbeats, and those who are no brokers. */
import { connect as connectTcp, createServer } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { writeFileSync } from 'node:fs'
import t from 'tap'
import { debug } from '../../dist/debug/debug.js'
import { cert, key } from '../certificate.js'
import { FakeIo } from '../fake-io.js'
import { oddServer, scantyBroker, startBroker, typed } from './typed.js'

t.test('link - what is no broker is named, with what to do', async (t) => {
  const says = (bytes: Uint8Array | string) => oddServer(t, (socket) => void socket.end(bytes))
  const problems: [port: number, problem: RegExp][] = [
    [await says('HTTP/1.1 400 Bad Request\r\n\r\n'), /is no Waybill broker, or does not want us; it says "HTTP\/1\.1 400 Bad Request"/],
    [await says(Buffer.from('15030300020228', 'hex')), /wants TLS: say --tls, or waybills:\/\//],
    [await says(''), /closed the connection without a word; if it wants TLS, say --tls/],
    [await says(Buffer.from('5741594202000001', 'hex')), /speaks version 2\.0 of the protocol; this tool speaks 1\.0/],
  ]
  for (const [port, problem] of problems) {
    const { code, err } = await typed(port, ['declare queue q'])
    t.equal(code, 2)
    t.match(err, problem)
    t.equal(err.trimEnd().split('\n').length, 1)
  }
})

t.test('link - a port where nobody listens, and a host that is not there', async (t) => {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  const nobody = `nothing listens on 127.0.0.1:${port}; start a broker with: `
  t.match(await typed(port, []), { code: 2, err: `${nobody}waybill serve\n`, out: '' })
  const env = { npm_lifecycle_event: 'debug' }
  t.match(await typed(port, [], { env }), { code: 2, err: `${nobody}npm start\n`, out: '' }, 'in a clone there is no waybill to call')
})

t.test('link - a broker that goes away in the middle is exit code 2, and says so', async (t) => {
  const port = await scantyBroker(t, 0, (bytes, socket) => {
    if (bytes.includes('"queue"')) socket.destroy()
  })
  const { code, err } = await typed(port, ['declare queue q', 'declare queue r'])
  t.equal(code, 2)
  t.match(err, /the connection is gone: the broker closed the connection/)
})

t.test('link - a broker that sends what is no frame is shown with its bytes', async (t) => {
  const port = await oddServer(t, (socket) => {
    socket.once('data', () => socket.write(Buffer.from('5741594201000000ffffffff07000000', 'hex')))
  })
  const { code, err, lines } = await typed(port, ['declare queue q'])
  t.equal(code, 2)
  t.match(err, 'the broker sent what cannot be read: frameTooLarge')
  t.ok(lines.includes('    0000  ff ff ff ff 07 00 00 00                           |........|'))
})

t.test('link - heartbeats go out and come in while nobody types, unseen unless asked for', async (t) => {
  let received = 0
  let stop: () => void = () => {}
  const port = await scantyBroker(t, 40, (bytes, socket) => {
    const heartbeat = Buffer.from('0000000407000000', 'hex')
    if (!bytes.includes(heartbeat)) return
    if (++received < 5) socket.write(heartbeat)
    else stop()
  })
  const io = new FakeIo()
  const ended = debug([`127.0.0.1:${port}`], io)
  await new Promise<void>((resolve) => {
    stop = resolve
  })
  t.notMatch(io.out, 'HEARTBEAT')
  io.stdin.write('heartbeats on\n')
  await io.printed('→ HEARTBEAT')
  t.pass('now they are shown')
  // It answers nothing any more: two intervals later it is given up.
  t.equal(await ended, 2)
  t.match(io.err, 'nothing came from the broker for 80 ms')
})

t.test('link - over TLS the certificate is checked', async (t) => {
  const broker = await startBroker(t)
  const port = await oddServer(
    t,
    (socket) => {
      const inner = connectTcp(broker.address!.port, '127.0.0.1')
      inner.on('error', () => {})
      socket.pipe(inner).pipe(socket)
    },
    (serve) => createTlsServer({ key, cert }, serve),
  )
  const ca = `${t.testdir()}/ca.pem`
  writeFileSync(ca, cert)
  t.match(await typed(port, ['declare queue q'], { args: ['--tls', '--ca', ca] }), { code: 0, err: '' })
  t.match(await typed(port, ['declare queue q'], { args: ['--tls'] }), {
    code: 2,
    err: /is signed by nobody known here; name its authority with --ca FILE/,
  })
  t.match(await typed(port, ['declare queue q']), { code: 2, err: /TLS/ })
  t.match(await typed(broker.address!.port, ['declare queue q'], { args: ['--tls'] }), {
    code: 2,
    err: /does not speak TLS here; leave out --tls/,
  })
})
