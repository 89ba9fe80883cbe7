/**
 * Producer and consumer in one process, so that one clock times both: so many messages a second, published in the
 * turn in which they fall due; latency is from the publish call to the consumer's callback.
 */
import { performance } from 'node:perf_hooks'
import { addMark, BodyReader, BodyRing } from '../body.js'
import { loadPeer } from '../peers/index.js'
import type { Sender } from '../peers/peer.js'
import type { LatencyJob, LatencyResult, LatencyRole, Mark } from './job.js'
import { serveRole } from './role.js'

const tickMs = 1
const ringSize = 16_384
const layout = { kind: 'queue', queue: 'bench' } as const

class LatencyProbe implements LatencyRole {
  #job!: LatencyJob
  #sender!: Sender
  #reader!: BodyReader
  #bodies!: BodyRing
  readonly #sentAt = new Float64Array(ringSize)
  readonly #latencies: number[] = []
  #measureFrom = Number.POSITIVE_INFINITY
  #published = 0
  #sum = 0
  #startedAt = 0
  #stopped = false

  async start(job: LatencyJob): Promise<void> {
    this.#job = job
    const peer = await loadPeer(job.peer)
    const [consumer, producer] = [await peer.connect(job.target), await peer.connect(job.target)]
    this.#reader = new BodyReader(job.bodySize, 1, true)
    this.#bodies = new BodyRing(job.bodySize, ringSize)
    await consumer.declare(layout)
    await consumer.receive(layout, false, (lane, body) => this.#take(this.#reader.read(lane, body)))
    this.#sender = await producer.sender(layout, { confirm: 'none', paced: true, ahead: ringSize })
    this.#startedAt = performance.now()
    this.#tick()
  }

  async measure(): Promise<Mark> {
    this.#measureFrom = this.#published
    return this.mark()
  }

  async mark(): Promise<Mark> {
    return { count: this.#published, atMs: performance.timeOrigin + performance.now() }
  }

  async stop(): Promise<LatencyResult> {
    this.#stopped = true
    await this.#sender.flush()
    for (let left = 500; left > 0 && this.#reader.count < this.#published; left--) await new Promise((resolve) => setTimeout(resolve, 10))
    return {
      latencies: this.#latencies.sort((a, b) => a - b),
      sent: { published: this.#published, confirmed: 0, deliveries: this.#published, sum: this.#sum },
      received: this.#reader.received(),
    }
  }

  #tick(): void {
    if (this.#stopped) return
    const due = Math.floor(((performance.now() - this.#startedAt) * this.#job.perSecond) / 1_000)
    while (this.#published < due) {
      const body = this.#bodies.body(this.#published)
      this.#sum = addMark(this.#sum, this.#published)
      this.#sentAt[this.#published % ringSize] = performance.now()
      this.#published++
      this.#sender.send(layout.queue, body)
    }
    setTimeout(() => this.#tick(), tickMs)
  }

  #take(sequence: number): void {
    if (sequence < this.#measureFrom) return
    const microseconds = (performance.now() - (this.#sentAt[sequence % ringSize] as number)) * 1_000
    this.#latencies.push(Math.round(microseconds * 10) / 10)
  }
}

serveRole<LatencyRole>(new LatencyProbe())
