import { connect } from '@waybill/client'
import { createServer as createPlainServer } from 'node:net'
import { createServer, type TLSSocket, type TlsOptions } from 'node:tls'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { cert, expiredCert, key } from '../support/certificates.js'
import { failure } from '../support/fake-broker.js'

/** Accepts TLS and keeps what clients say to it. */
async function listening(t: Test, options: TlsOptions): Promise<{ port: number; heard: Buffer[]; sockets: TLSSocket[] }> {
  const heard: Buffer[] = []
  const sockets: TLSSocket[] = []
  const server = createServer({ key, ...options }, (socket) => {
    sockets.push(socket)
    socket.on('data', (bytes) => heard.push(bytes))
    socket.on('error', () => {})
  })
  server.on('tlsClientError', () => {})
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return { port: (server.address() as AddressInfo).port, heard, sockets }
}

const quiet = { log: () => {}, user: 'ada', password: 'very-secret' }

const refused: [string, TlsOptions, object][] = [
  ['a certificate that nobody trusted has signed', { cert }, {}],
  ['a certificate that has expired', { cert: expiredCert }, { ca: expiredCert }],
  ['a certificate of somebody else', { cert }, { ca: cert, serverName: 'broker.example' }],
  ['TLS 1.1', { cert, minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' }, { ca: cert }],
]
for (const [what, server, tls] of refused) {
  t.test(`tls - ${what} is refused at once, and nothing has been said to it`, async (t) => {
    const { port, heard } = await listening(t, server)
    const error = await failure(connect(`waybills://localhost:${port}`, { ...quiet, tls }))
    t.equal(error.code, 'TLS_FAILED')
    t.notOk(error.retryable)
    t.equal(heard.length, 0, 'not even a preface')
  })
}

t.test('tls - a trusted certificate hears the preface, by name and by address', async (t) => {
  for (const host of ['localhost', '127.0.0.1']) {
    const { port, heard, sockets } = await listening(t, { cert })
    const error = failure(connect(`waybills://${host}:${port}`, { ...quiet, tls: { ca: [cert] }, connectTimeoutMs: 2_000 }))
    while (heard.length === 0) await new Promise((resolve) => setImmediate(resolve))
    t.equal(heard[0].subarray(0, 4).toString(), 'WAYB', host)
    sockets[0].end('HTTP/1.1 400 no\r\n')
    t.equal((await error).code, 'NOT_WAYBILL')
  }
})

t.test('tls - the error names the host and what to do about it', async (t) => {
  const { port } = await listening(t, { cert })
  const plain = createPlainServer((socket) => socket.end('no TLS here\r\n')).listen(0, '127.0.0.1')
  await new Promise((resolve) => plain.once('listening', resolve))
  t.teardown(() => plain.close())
  const plainPort = (plain.address() as AddressInfo).port
  const refused = (host: string, tls: object) => failure(connect(`waybills://${host}`, { ...quiet, tls }))
  t.match(await refused(`localhost:${port}`, {}), { code: 'TLS_FAILED', message: new RegExp(`localhost:${port}.*tls\\.ca`) })
  t.match(await refused(`localhost:${port}`, { ca: cert, serverName: 'other.example' }), { message: /tls\.serverName/ })
  t.match(await refused(`localhost:${plainPort}`, {}), { code: 'TLS_FAILED', message: /waybill:\/\/$/ })
  t.match(await refused(`localhost:${port}`, { cert: 'none', key: 'none' }), { code: 'TLS_FAILED', message: /tls\.cert/ })
})

t.test('tls - options of it with a URL in plain text are a mistake: nothing is said to anybody', async (t) => {
  const plain = (target: string | string[], tls: object) => () => connect(target, { ...quiet, tls })
  const wanted = { name: 'UsageError', code: 'OPTION_INVALID', message: /'tls'.*localhost:1 .*plain text.*waybills:\/\// }
  for (const tls of [{ ca: cert }, { serverName: 'a' }, { insecureSkipVerification: true }])
    t.throws(plain('waybill://localhost:1', tls), wanted)
  t.throws(plain(['waybills://localhost:2', 'waybill://localhost:1'], { ca: cert }), wanted)
  const error = await failure(connect('waybill://localhost:1', { ...quiet, tls: { ca: undefined }, connectTimeoutMs: 1 } as object))
  t.equal(error.code, 'CONNECT_FAILED', 'none that is set')
})

t.test('tls - what an option cannot be is a mistake, and what it has not is said', async (t) => {
  const wrong: readonly [RegExp, object][] = [
    [/tls\.ca is .*PEM/, { ca: 5 }],
    [/tls\.ca is .*PEM/, { ca: [cert, undefined] }],
    [/tls\.cert is .*PEM/, { cert: {} }],
    [/tls\.key is .*PEM/, { key: 5 }],
    [/tls\.passphrase is a string/, { passphrase: 5 }],
    [/tls\.serverName is a string/, { serverName: 5 }],
    [/tls\.insecureSkipVerification is true or false/, { insecureSkipVerification: 'no' }],
  ]
  for (const [message, tls] of wrong) {
    t.throws(
      () => connect('waybills://localhost:1', { ...quiet, tls }),
      { name: 'UsageError', code: 'OPTION_INVALID', message },
      `${message}`,
    )
  }
  const { port } = await listening(t, { cert })
  const refused = (tls: object) => failure(connect(`waybills://localhost:${port}`, { ...quiet, tls }))
  for (const ca of [
    'ca.pem',
    Buffer.from('garbage'),
    [],
    ['garbage'],
    '-----BEGIN CERTIFICATE-----\ngarbage\n-----END CERTIFICATE-----\n',
  ]) {
    t.match(
      await refused({ ca }),
      { code: 'TLS_FAILED', retryable: false, message: /tls\.ca has no certificate.*not the name/ },
      String(ca),
    )
  }
  t.match(await refused({ ca: expiredCert }), { code: 'TLS_FAILED', message: /tls\.ca .*another/ })
  t.match(
    (await refused({ ca: [`# ours\n${expiredCert}`, Buffer.from(cert)], serverName: 'x' })).message,
    /tls\.serverName/,
    'those are used',
  )
})

t.test('tls - verification is off only by an option that says so', async (t) => {
  const { port, heard, sockets } = await listening(t, { cert: expiredCert })
  const error = failure(connect(`waybills://localhost:${port}`, { ...quiet, tls: { insecureSkipVerification: true } }))
  while (heard.length === 0) await new Promise((resolve) => setImmediate(resolve))
  sockets[0].end('HTTP/1.1 400 no\r\n')
  t.equal((await error).code, 'NOT_WAYBILL')
})
