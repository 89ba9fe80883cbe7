import t from 'tap'
import { type EmbeddedConnection, embed } from '../../dist/host/memory-transport.js'
import type { Transport } from '../../dist/ports/transport.js'
import { type FarEnd, Recorder, testTransport } from './transport-contract.js'

/** The client's end of an embedded connection. */
class EmbeddedFarEnd implements FarEnd {
  readonly hasEnded: Promise<void>
  readonly #connection: EmbeddedConnection
  #bytes = Buffer.alloc(0)
  #wake: () => void = () => undefined
  #isOver = false

  constructor(connection: EmbeddedConnection) {
    this.#connection = connection
    connection.onBytes = (bytes, from, to) => {
      this.#bytes = Buffer.concat([this.#bytes, bytes.subarray(from, to)])
      this.#wake()
    }
    this.hasEnded = new Promise((resolve) => {
      connection.onClose = () => {
        this.#isOver = true
        resolve()
        this.#wake()
      }
    })
  }

  write(bytes: Uint8Array): void {
    this.#connection.write(bytes)
  }

  end(): void {
    this.#connection.end()
  }

  destroy(): void {
    this.#connection.destroy()
  }

  async read(size: number): Promise<Buffer> {
    while (this.#bytes.length < size && !this.#isOver) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    const bytes = this.#bytes.subarray(0, size)
    this.#bytes = this.#bytes.subarray(size)
    return bytes
  }
}

function pair() {
  const handler = new Recorder()
  let transport: Transport | undefined
  const connection = embed((given) => {
    transport = given
    return handler
  })
  return { transport: transport!, handler, connection }
}

testTransport(t, 'memory', async () => {
  const { transport, handler, connection } = pair()
  return { transport, handler, far: new EmbeddedFarEnd(connection), canBeSlow: false }
})

t.test('memory transport - what is written is copied, and read in a later turn of the loop', async (t) => {
  const { handler, connection } = pair()
  const bytes = Buffer.from('before')
  connection.write(bytes)
  bytes.write('after!')
  t.equal(handler.size, 0)
  await handler.until(() => handler.size === 6)
  t.equal(handler.bytes.toString(), 'before')
  connection.destroy()
})

t.test('memory transport - it is this machine, and has a name for logs', async (t) => {
  const { transport } = pair()
  t.ok(transport.local)
  t.notOk(transport.tls)
  t.equal(transport.remote, 'embedded')
})
