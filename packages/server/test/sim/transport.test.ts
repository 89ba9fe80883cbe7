/** The simulated transport does what every transport does. And it notices what no real one would: bytes that change under a write. */
import t from 'tap'
import type { Transport } from '../../dist/ports/transport.js'
import {
  fairWeather,
  Random,
  randomWeather,
  SimClock,
  type SimConnection,
  SimNetwork,
  SimulationFailure,
  Tally,
  Timeline,
  type Weather,
} from '../../dist/sim/index.js'
import { type FarEnd, Recorder, testTransport } from '../host/transport-contract.js'

const nobody = {
  arrived: () => undefined,
  written: () => undefined,
  ended: () => undefined,
  destroyed: () => undefined,
  closed: () => undefined,
}
const landing = () => ({ buffer: Buffer.alloc(65_536), start: 0, size: 65_536 })

/** Virtual time that goes on by itself, as long as the tests of this file run. */
class Net {
  readonly timeline = new Timeline()
  readonly clock = new SimClock(this.timeline, new Random(1))
  #accepted: { readonly transport: Transport; readonly handler: Recorder } | undefined
  readonly #network = new SimNetwork(
    {
      timeline: this.timeline,
      clock: this.clock,
      random: new Random(2),
      tally: new Tally(),
      doorkeeper: nobody,
      brokerLanding: landing(),
      clientLanding: landing(),
      readsByData: false,
    },
    (transport) => {
      const handler = new Recorder()
      this.#accepted = { transport, handler }
      return handler
    },
  )

  connect(weather: Weather): { readonly far: SimFarEnd; readonly transport: Transport; readonly handler: Recorder } {
    const far = new SimFarEnd()
    far.connection = this.#network.connect(far, weather)
    far.connection.down.pause()
    this.#accepted = undefined
    while (this.#accepted === undefined) this.timeline.step()
    return { far, ...(this.#accepted as { readonly transport: Transport; readonly handler: Recorder }) }
  }
}

/** Reads only while somebody waits for bytes, or for the end. */
class SimFarEnd implements FarEnd {
  connection!: SimConnection
  #chunks: Buffer[] = []
  #size = 0
  #wanted = 0
  #wake: () => void = () => undefined
  #ended: () => void = () => undefined
  #isOver = false
  readonly #over = new Promise<void>((resolve) => {
    this.#ended = resolve
  })

  get hasEnded(): Promise<void> {
    this.connection.down.resume()
    return this.#over
  }

  write(bytes: Uint8Array): void {
    this.connection.client.write(bytes)
  }

  end(): void {
    this.connection.client.end()
  }

  destroy(): void {
    this.connection.client.destroy()
  }

  async read(size: number): Promise<Buffer> {
    this.#wanted = size
    this.connection.down.resume()
    while (this.#size < size && !this.#isOver) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    const all = Buffer.concat(this.#chunks)
    this.#chunks = [all.subarray(size)]
    this.#size = Math.max(0, all.length - size)
    return all.subarray(0, size)
  }

  ingest(bytes: Uint8Array, from: number, to: number): void {
    this.#chunks.push(Buffer.from(bytes.subarray(from, to)))
    this.#size += to - from
    if (this.#size < this.#wanted) return
    this.connection.down.pause()
    this.#wake()
  }

  drained(): void {}

  closed(): void {
    this.#isOver = true
    this.#ended()
    this.#wake()
  }
}

const net = new Net()
let isRunning = true
t.teardown(() => {
  isRunning = false
})
const goOn = (): void => {
  for (let i = 0; i < 20; i++) net.timeline.step()
  if (isRunning) setImmediate(goOn)
}
setImmediate(goOn)

testTransport(t, 'simulated, in fair weather', async () => ({ ...net.connect(fairWeather()), canBeSlow: true }))

let seed = 0
testTransport(t, 'simulated, in any weather', async () => {
  const { up, down } = randomWeather(new Random(++seed))
  return { ...net.connect({ up, down: { ...down, sizePerMs: 1 << 20 } }), canBeSlow: true }
})

t.test('transport - simulated: bytes that change while a write is pending are noticed', async (t) => {
  const { transport } = net.connect(fairWeather())
  const bytes = Buffer.alloc(3 << 20, 1)
  transport.write(bytes, 0, bytes.length)
  bytes[bytes.length - 1] = 2
  const { timeline } = net
  t.throws(
    () => {
      transport.destroy()
      for (;;) timeline.step()
    },
    { message: /pending write of 3145728 changed from 1 to 2/ },
  )
})

t.test('transport - simulated: what has been taken may be changed', async (t) => {
  const { transport, far } = net.connect(fairWeather())
  const bytes = Buffer.alloc(1_000, 1)
  transport.write(bytes, 0, bytes.length)
  t.equal(transport.pendingSize, 0)
  bytes.fill(2)
  t.ok((await far.read(1_000)).equals(Buffer.alloc(1_000, 1)))
})

t.test('transport - simulated: writing behind the end is a failure of who does', async (t) => {
  const { transport } = net.connect(fairWeather())
  transport.end()
  t.throws(() => transport.write(Buffer.of(1), 0, 1), SimulationFailure)
})
