/** The whole tool: what is typed goes in through a pipe, and what it printed comes out; and servers for it to talk to. */
import { createServer, type Server, type Socket } from 'node:net'
import type { Test } from 'tap'
import { encodeControl, FrameType } from '@waybill/protocol'
import { type Broker, createBroker } from '@waybill/server'
import { debug } from '../../dist/debug/debug.js'
import { FakeIo } from '../fake-io.js'

export async function startBroker(t: Test): Promise<Broker> {
  const broker = await createBroker({ listen: { host: '127.0.0.1', port: 0 }, log: 'none' })
  t.teardown(() => broker.close({ graceMs: 0 }))
  return broker
}

/** Types these lines into the tool through a pipe, and gives what it printed without what differs from run to run. */
export async function typed(port: number, lines: readonly string[], { args = [] as string[], env = {} } = {}) {
  const io = new FakeIo(env)
  io.stdin.end(lines.map((line) => `${line}\n`).join(''))
  const code = await debug([`127.0.0.1:${port}`, ...args], io)
  return { code, err: io.err, lines: io.out.trimEnd().split('\n').map(masked), out: io.out }
}

function masked(line: string): string {
  return line
    .replace(/"version":"[^"]+"/g, '"version":"V"')
    .replace(/"platform":"[^"]+"/, '"platform":"P"')
    .replace(/"log":"[^"]+","connection":\d+/, '"log":"L","connection":1')
    .replace(/"limits":\{[^}]+\}/, '"limits":{}')
    .replace(/wb\.[\w-]+/g, 'wb.NAME')
}

/** The lines behind preface, HELLO and OPEN, which are the same every time. */
export function conversation(lines: readonly string[]): string[] {
  const begin = lines.findIndex((line) => line.startsWith('> '))
  return lines.slice(begin)
}

/** A server that is no broker: does what the test says with each connection. */
export async function oddServer(
  t: Test,
  serve: (socket: Socket) => void,
  make: (serve: (socket: Socket) => void) => Server = createServer,
) {
  const sockets = new Set<Socket>()
  const server = make((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    serve(socket)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return (server.address() as { port: number }).port
}

/** Takes HELLO and OPEN, and leaves everything else to the test. */
export function scantyBroker(t: Test, heartbeatMs: number, hear: (bytes: Buffer, socket: Socket) => void) {
  const limits = { frameSizeMax: 1_000 }
  const hello = {
    server: { product: 'scanty', version: '1' },
    log: 'l',
    connection: 1,
    heartbeatMs,
    keeps: 'nothing',
    limits,
    blocked: null,
  }
  return oddServer(t, (socket) => {
    socket.on('data', (bytes) => {
      if (bytes.includes('WAYB')) socket.write(Buffer.from('5741594201000000', 'hex'))
      else if (bytes.includes('"client"')) socket.write(encodeControl(FrameType.result, 0, 1, hello))
      else if (bytes[4] === FrameType.open) socket.write(encodeControl(FrameType.result, 1, 2, { creditSequence: 1, creditSize: 1 }))
      else hear(bytes, socket)
    })
  })
}
