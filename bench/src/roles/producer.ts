/**
 * The producer process: publishes as fast as its client takes it, never more than `ahead` deliveries before the
 * consumer. It publishes in bursts and lets the event loop turn between them, so that the client can write.
 */
import { performance } from 'node:perf_hooks'
import { setImmediate as turn } from 'node:timers/promises'
import { addMark, BodyRing } from '../body.js'
import { loadPeer } from '../peers/index.js'
import type { Sender } from '../peers/peer.js'
import type { Mark, ProducerRole, Sent, ThroughputJob } from './job.js'
import { type Traffic, trafficOf } from './layout.js'
import { Progress } from './progress.js'
import { serveRole } from './role.js'

/** A burst is as many messages or as many bytes, whichever is less. */
const burstCount = 512
const burstSize = 512 * 1_024

class Producer implements ProducerRole {
  #sender!: Sender
  #traffic!: Traffic
  #progress!: Progress
  #bodies!: BodyRing
  #ahead = 0
  #published = 0
  #confirmed = 0
  #deliveries = 0
  #sum = 0
  #stopped = false
  #confirmsAll = false
  #ended!: Promise<unknown>

  async start(job: ThroughputJob): Promise<void> {
    const { workload, ahead } = job
    const peer = await loadPeer(job.peer)
    this.#traffic = trafficOf(workload, peer)
    this.#ahead = ahead
    this.#bodies = new BodyRing(workload.bodySize, ahead + 1_024)
    this.#progress = await Progress.connect(job.progress)
    const client = await peer.connect(job.target)
    const confirm = workload.confirm === 'each' && peer.confirm === undefined ? 'none' : workload.confirm
    this.#sender = await client.sender(this.#traffic.layout, { confirm, window: workload.outstanding, paced: false, ahead })
    this.#confirmsAll = confirm === 'window'
    this.#ended =
      confirm === 'each'
        ? Promise.all(Array.from({ length: workload.outstanding }, () => this.#publishEach()))
        : this.#sendBursts(Math.max(4, Math.min(burstCount, Math.floor(burstSize / workload.bodySize))))
    this.#ended.catch(() => {})
  }

  async mark(): Promise<Mark> {
    return { count: this.#published, atMs: performance.timeOrigin + performance.now() }
  }

  async stop(): Promise<Sent> {
    this.#stopped = true
    this.#progress.wake()
    await this.#ended
    await this.#sender.flush()
    if (this.#confirmsAll) this.#confirmed = this.#published
    return { published: this.#published, confirmed: this.#confirmed, deliveries: this.#deliveries, sum: this.#sum }
  }

  async #sendBursts(burst: number): Promise<void> {
    const sender = this.#sender
    while (!this.#stopped) {
      if (this.#tooFarAhead()) await this.#progress.changed()
      else if (sender.full) await sender.ready()
      else {
        for (let left = burst; left > 0 && !sender.full && !this.#tooFarAhead(); left--) {
          sender.send(this.#key(), this.#nextBody())
        }
        await turn()
      }
    }
  }

  /** One of many that each publish, wait for the confirm, and publish again. */
  async #publishEach(): Promise<void> {
    while (!this.#stopped) {
      if (this.#tooFarAhead()) await this.#progress.changed()
      else {
        await this.#sender.publish(this.#key(), this.#nextBody())
        this.#confirmed++
      }
    }
  }

  #tooFarAhead(): boolean {
    return this.#deliveries - this.#progress.count >= this.#ahead
  }

  #key(): string {
    return this.#traffic.keys[this.#published % this.#traffic.keys.length] as string
  }

  /** Counts the message as published; called after `#key`. */
  #nextBody(): Buffer {
    const deliveries = this.#traffic.deliveries[this.#published % this.#traffic.keys.length] as number
    const body = this.#bodies.body(this.#published)
    this.#deliveries += deliveries
    this.#sum = addMark(this.#sum, this.#published, deliveries)
    this.#published++
    return body
  }
}

serveRole<ProducerRole>(new Producer())
