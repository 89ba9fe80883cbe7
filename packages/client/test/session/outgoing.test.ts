import { encodeName, FrameReader, recordSizeOf, writeHeartbeat, writeRecord } from '@waybill/protocol'
import { describeFrame, type FrameNotation } from '@waybill/protocol/testing'
import t from 'tap'
import { Outgoing } from '../../dist/session/outgoing.js'

/** Takes bytes at once, or keeps them as a slow socket does: the very buffers that it was given. */
class SlowSocket {
  writableLength = 0
  isSlow = false
  readonly taken: Buffer[] = []
  #held: Uint8Array[] = []

  write(bytes: Uint8Array): boolean {
    if (this.isSlow) {
      this.#held.push(bytes)
      this.writableLength += bytes.length
    } else this.taken.push(Buffer.from(bytes))
    return !this.isSlow
  }

  /** What was held is read only now: whoever has written to it in between is found out. */
  drain(): void {
    for (const bytes of this.#held.splice(0)) this.taken.push(Buffer.from(bytes))
    this.writableLength = 0
  }

  end(): void {}
  destroy(): void {}

  get frames(): (FrameNotation & { records: { body: string }[] })[] {
    const frames: FrameNotation[] = []
    const reader = new FrameReader({ frame: (...frame) => frames.push(describeFrame(...frame)) }, 2 ** 25)
    for (const bytes of this.taken) reader.read(bytes, 0, bytes.length)
    return frames as (FrameNotation & { records: { body: string }[] })[]
  }
}

const exchange = encodeName('x')

function publish(out: Outgoing, sequence: number, body: Uint8Array, channel = 1, flags = 2): void {
  const key = encodeName('k')
  const at = out.publishAt(channel, flags, sequence, recordSizeOf(exchange, key, undefined, body.length))
  out.used = writeRecord(out.bytes, at, exchange, key, undefined, true, body, 0, body.length)
}

function openOutgoing(): { socket: SlowSocket; out: Outgoing } {
  const socket = new SlowSocket()
  const out = new Outgoing(socket)
  out.frameSizeMax = 16 * 1024 * 1024
  return { socket, out }
}

t.test('outgoing - neighbours on a channel with the same flags share a frame and a write', async (t) => {
  const { socket, out } = openOutgoing()
  for (let sequence = 1; sequence <= 10; sequence++) publish(out, sequence, Buffer.from([sequence]))
  out.flush()
  t.equal(socket.taken.length, 1)
  t.match(socket.frames, [{ type: 'PUBLISH', firstSequence: 1 }])
  t.equal(socket.frames[0].records.length, 10)
})

t.test('outgoing - another flag, channel or frame begins a frame of its own', async (t) => {
  const { socket, out } = openOutgoing()
  publish(out, 1, Buffer.from('a'))
  publish(out, 2, Buffer.from('b'), 1, 2 | 4)
  publish(out, 1, Buffer.from('c'), 2)
  const at = out.reserve(8)
  out.used = writeHeartbeat(out.bytes, at)
  publish(out, 2, Buffer.from('d'), 2)
  out.flush()
  t.equal(socket.taken.length, 1)
  t.same(
    socket.frames.map(({ type, channel, firstSequence, flags }) => [type, channel, firstSequence, flags]),
    [
      ['PUBLISH', 1, 1, ['CONFIRM']],
      ['PUBLISH', 1, 2, ['CONFIRM', 'MANDATORY']],
      ['PUBLISH', 2, 1, ['CONFIRM']],
      ['HEARTBEAT', 0, undefined, undefined],
      ['PUBLISH', 2, 2, ['CONFIRM']],
    ],
  )
})

t.test('outgoing - what does not fit goes on in the next frame, in order and unchanged', async (t) => {
  const { socket, out } = openOutgoing()
  const bodies: Buffer[] = []
  for (let i = 0; i < 400; i++) bodies.push(Buffer.alloc((i * 7919) % 3000, i))
  bodies[200] = Buffer.alloc(70_000, 6)
  bodies[201] = Buffer.alloc(300_000, 7)
  bodies[300] = Buffer.alloc(200_000, 8)
  bodies.forEach((body, i) => {
    publish(out, i + 1, body)
  })
  out.flush()
  const { frames } = socket
  t.same(
    frames.flatMap(({ records }) => records.map(({ body }) => body)),
    bodies.map((body) => body.toString('hex')),
  )
  let expected = 1
  for (const frame of frames) {
    t.equal(frame.firstSequence, expected)
    expected += frame.records.length
  }
})

t.test('outgoing - no frame is larger than the broker takes', async (t) => {
  const { socket, out } = openOutgoing()
  out.frameSizeMax = 1_000
  for (let sequence = 1; sequence <= 100; sequence++) publish(out, sequence, Buffer.alloc(100))
  out.flush()
  t.equal(
    socket.frames.reduce((count, { records }) => count + records.length, 0),
    100,
  )
  const bytes = Buffer.concat(socket.taken)
  for (let at = 0; at < bytes.length; at += 4 + bytes.readUInt32BE(at)) t.ok(bytes.readUInt32BE(at) <= 1_000)
})

t.test('outgoing - a buffer that the socket still has is not written to', async (t) => {
  const { socket, out } = openOutgoing()
  const bodies = Array.from({ length: 300 }, (_, i) => Buffer.alloc(i === 120 || i === 130 ? 100_000 : 1_000, i))
  bodies.forEach((body, i) => {
    if (i === 100) socket.isSlow = true
    if (i === 150) {
      socket.drain()
      out.drained()
    }
    if (i === 200) {
      socket.isSlow = false
      socket.drain()
    }
    publish(out, i + 1, body)
    if (i % 10 === 9) out.flush()
  })
  out.flush()
  socket.drain()
  t.same(
    socket.frames.flatMap(({ records }) => records.map(({ body }) => body)),
    bodies.map((body) => body.toString('hex')),
  )
})

t.test('outgoing - after the end nothing is written', async (t) => {
  const { socket, out } = openOutgoing()
  publish(out, 1, Buffer.from('a'))
  out.close()
  publish(out, 2, Buffer.from('b'))
  out.flush()
  t.equal(socket.taken.length, 0)
})
