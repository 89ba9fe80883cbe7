/**
 * Producer and consumer in one process, so that one clock times both: so many messages a second, published in the
 * turn in which they fall due; latency is from the publish call to the consumer's callback, and for durable messages
 * also to the confirm.
 */
import { performance } from 'node:perf_hooks'
import { addMark, BodyReader, BodyRing } from '../body.js'
import { loadPeer } from '../peers/index.js'
import type { Layout, Sender } from '../peers/peer.js'
import type { LatencyJob, LatencyResult, LatencyRole, LatencyWindow, Mark } from './job.js'
import { benchQueue } from './layout.js'
import { serveRole } from './role.js'

const tickMs = 1
const ringSize = 16_384

class LatencyProbe implements LatencyRole {
  #job!: LatencyJob
  #layout!: Layout & { kind: 'queue' }
  #sender!: Sender
  #reader!: BodyReader
  #bodies!: BodyRing
  readonly #sentAt = new Float64Array(ringSize)
  #latencies: number[] = []
  #confirmLatencies: number[] = []
  #confirmed = 0
  #failure: unknown
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
    const layout = benchQueue(job.durable)
    this.#layout = layout
    await consumer.declare(layout)
    await consumer.receive(layout, job.durable, (lane, body) => this.#take(this.#reader.read(lane, body)))
    this.#sender = await producer.sender(layout, { confirm: job.durable ? 'each' : 'none', window: 0, paced: true, ahead: ringSize })
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

  async lap(): Promise<LatencyWindow> {
    const ascending = (a: number, b: number): number => a - b
    const window = { latencies: this.#latencies.sort(ascending), confirmLatencies: this.#confirmLatencies.sort(ascending) }
    this.#measureFrom = Number.POSITIVE_INFINITY
    this.#latencies = []
    this.#confirmLatencies = []
    return window
  }

  async stop(): Promise<LatencyResult> {
    this.#stopped = true
    await this.#sender.flush()
    for (let left = 500; left > 0 && !this.#isThrough(); left--) await new Promise((resolve) => setTimeout(resolve, 10))
    if (this.#failure !== undefined) throw this.#failure
    if (this.#job.durable && this.#confirmed < this.#published)
      throw new Error(`${this.#published} published, ${this.#confirmed} confirmed`)
    return {
      ...(await this.lap()),
      sent: { published: this.#published, confirmed: this.#confirmed, deliveries: this.#published, sum: this.#sum },
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
      const sequence = this.#published++
      if (this.#job.durable) {
        this.#sender.publish(this.#layout.queue, body).then(
          () => this.#confirm(sequence),
          (error: unknown) => {
            this.#failure ??= error
          },
        )
      } else this.#sender.send(this.#layout.queue, body)
    }
    setTimeout(() => this.#tick(), tickMs)
  }

  #isThrough(): boolean {
    return this.#reader.count >= this.#published && (!this.#job.durable || this.#confirmed >= this.#published)
  }

  #take(sequence: number): void {
    if (sequence >= this.#measureFrom) this.#latencies.push(this.#since(sequence))
  }

  #confirm(sequence: number): void {
    this.#confirmed++
    if (sequence >= this.#measureFrom) this.#confirmLatencies.push(this.#since(sequence))
  }

  /** Microseconds, to a tenth. */
  #since(sequence: number): number {
    const microseconds = (performance.now() - (this.#sentAt[sequence % ringSize] as number)) * 1_000
    return Math.round(microseconds * 10) / 10
  }
}

serveRole<LatencyRole>(new LatencyProbe())
