/** What every `Transport` does, whatever it is made of: one suite for all of them. */
import type { Test } from 'tap'
import type { LandingPlace, Transport, TransportHandler } from '../../dist/ports/transport.js'

/** The other end of a connection. It reads when it is told to. */
export interface FarEnd {
  write(bytes: Uint8Array): void
  /** Ends its half. */
  end(): void
  destroy(): void
  /** Reads until so many bytes have come, or the end. */
  read(size: number): Promise<Buffer>
  readonly hasEnded: Promise<void>
}

export interface Pair {
  readonly transport: Transport
  readonly handler: Recorder
  readonly far: FarEnd
  /** Whether the far end can leave bytes unread, so that writes are pending. */
  readonly canBeSlow: boolean
}

/** Notes what a transport tells. */
export class Recorder implements TransportHandler {
  readonly chunks: Buffer[] = []
  readonly told: string[] = []
  writtenCount = 0
  onIngest: (bytes: Buffer) => void = () => undefined
  #size = 0
  #waiting: { isMet: () => boolean; resolve: () => void }[] = []

  get size(): number {
    return this.#size
  }

  get bytes(): Buffer {
    return Buffer.concat(this.chunks)
  }

  ingest(bytes: Uint8Array, from: number, to: number): void {
    if (this.told.length > 0) this.told.push('bytes')
    this.chunks.push(Buffer.from(bytes.subarray(from, to)))
    this.#size += to - from
    this.onIngest(this.chunks.at(-1)!)
    this.#look()
  }

  landing(): LandingPlace | undefined {
    return undefined
  }

  written(): void {
    this.writtenCount++
    this.#look()
  }

  ended(): void {
    this.told.push('ended')
    this.#look()
  }

  closed(reason: string): void {
    this.told.push(reason === '' ? 'closed without a reason' : 'closed')
    this.#look()
  }

  /** Resolves when it is so, looked at after each event. */
  until(isMet: () => boolean): Promise<void> {
    if (isMet()) return Promise.resolve()
    return new Promise((resolve) => this.#waiting.push({ isMet, resolve }))
  }

  #look(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const each of waiting) {
      if (each.isMet()) each.resolve()
      else this.#waiting.push(each)
    }
  }
}

/** `connect` makes a new connection. */
export function testTransport(t: Test, name: string, connect: () => Promise<Pair>): void {
  t.test(`transport - ${name}: bytes arrive in the order written, gathered or not`, async (t) => {
    const { transport, far } = await connect()
    const expected: Buffer[] = []
    transport.cork()
    for (let i = 0; i < 50; i++) {
      const bytes = Buffer.alloc(1 + i * 7, i)
      transport.write(bytes, 0, bytes.length)
      expected.push(bytes)
    }
    transport.uncork()
    const large = Buffer.alloc(300_000, 'abc')
    transport.write(large, 1_000, 200_000)
    expected.push(large.subarray(1_000, 200_000))
    const all = Buffer.concat(expected)
    t.ok((await far.read(all.length)).equals(all))
    transport.destroy()
  })

  t.test(`transport - ${name}: what comes is told, then the end, then that it is closed, each once`, async (t) => {
    const { transport, handler, far } = await connect()
    far.write(Buffer.from('hello '))
    far.write(Buffer.from('world'))
    far.end()
    await handler.until(() => handler.told.includes('ended'))
    t.equal(handler.bytes.toString(), 'hello world')
    const answer = Buffer.from('goodbye')
    transport.write(answer, 0, answer.length)
    transport.end()
    t.equal((await far.read(7)).toString(), 'goodbye', 'it can be answered after its end')
    await far.hasEnded
    await handler.until(() => handler.told.includes('closed'))
    t.same(handler.told, ['ended', 'closed'])
  })

  t.test(`transport - ${name}: when we end, what was written comes before the end`, async (t) => {
    const { transport, handler, far } = await connect()
    const bytes = Buffer.alloc(500_000, 'xyz')
    transport.write(bytes, 0, bytes.length)
    transport.end()
    t.ok((await far.read(bytes.length)).equals(bytes))
    await far.hasEnded
    far.end()
    await handler.until(() => handler.told.includes('closed'))
    t.equal(handler.told.filter((word) => word === 'closed').length, 1)
  })

  t.test(`transport - ${name}: destroyed from either end it is closed once, and writing does nothing any more`, async (t) => {
    for (const end of ['near', 'far'] as const) {
      const { transport, handler, far } = await connect()
      far.write(Buffer.of(1))
      await handler.until(() => handler.size === 1)
      if (end === 'near') transport.destroy()
      else {
        // How it looks from here depends on what lay between: as its end, or as if it were cut.
        far.destroy()
        await handler.until(() => handler.told.length > 0)
        transport.end()
      }
      await handler.until(() => handler.told.includes('closed'))
      transport.write(Buffer.of(1, 2, 3), 0, 3)
      transport.end()
      transport.destroy()
      transport.pause()
      transport.resume()
      await new Promise((resolve) => setImmediate(resolve))
      t.equal(handler.told.filter((word) => word === 'closed').length, 1, end)
      t.notOk(handler.told.includes('bytes'))
    }
  })

  t.test(`transport - ${name}: while it is paused nothing is told, and nothing is lost`, async (t) => {
    const { transport, handler, far } = await connect()
    far.write(Buffer.alloc(1_000, 1))
    await handler.until(() => handler.size === 1_000)
    transport.pause()
    transport.pause()
    const more = Buffer.alloc(400_000, 'pause')
    far.write(more)
    // What was read already may still come; then it is quiet.
    const probe = Buffer.of(9)
    transport.write(probe, 0, 1)
    await far.read(1)
    const size = handler.size
    t.ok(size < 401_000)
    transport.write(probe, 0, 1)
    await far.read(1)
    t.equal(handler.size, size)
    transport.resume()
    transport.resume()
    await handler.until(() => handler.size === 401_000)
    t.ok(handler.bytes.subarray(1_000).equals(more))
    transport.destroy()
  })

  t.test(`transport - ${name}: it says what is pending, what has been taken, and when that changes`, async (t) => {
    const { transport, handler, far, canBeSlow } = await connect()
    t.equal(transport.pendingSize, 0)
    const bytes = Buffer.alloc(16 << 20, 5)
    transport.write(bytes, 0, bytes.length)
    if (canBeSlow) {
      t.ok(transport.pendingSize > 0)
      t.ok(transport.takenSize < bytes.length)
    }
    const before = transport.takenSize
    await far.read(bytes.length)
    await handler.until(() => transport.pendingSize === 0)
    t.ok(transport.takenSize > before)
    t.equal(transport.takenSize, bytes.length)
    t.ok(handler.writtenCount > 0)
    transport.destroy()
  })

  t.test(`transport - ${name}: a handler that destroys it while it reads is told nothing more`, async (t) => {
    const { transport, handler, far } = await connect()
    handler.onIngest = () => transport.destroy()
    far.write(Buffer.alloc(500_000, 1))
    await handler.until(() => handler.told.includes('closed'))
    const { size } = handler
    await new Promise((resolve) => setImmediate(resolve))
    t.equal(handler.size, size)
    t.notOk(handler.told.includes('bytes'))
  })
}
