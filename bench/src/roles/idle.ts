/** Opens many connections, each with a channel, a queue and a consumer, and lets them be; then sends one message to each. */
import { performance } from 'node:perf_hooks'
import { addMark, BodyReader, BodyRing } from '../body.js'
import { loadPeer } from '../peers/index.js'
import type { Peer } from '../peers/peer.js'
import type { IdleJob, IdleRole } from './job.js'
import { serveRole } from './role.js'

const openingAtOnce = 32
const deliveryMsMax = 30_000

class IdleConnections implements IdleRole {
  #job!: IdleJob
  #peer!: Peer
  #reader!: BodyReader
  #arrived: () => void = () => {}

  async start(job: IdleJob): Promise<number> {
    this.#job = job
    this.#peer = await loadPeer(job.peer)
    this.#reader = new BodyReader(job.bodySize, job.connections, false)
    const startedAt = performance.now()
    let next = 0
    const openSome = async () => {
      while (next < job.connections) await this.#open(next++)
    }
    await Promise.all(Array.from({ length: openingAtOnce }, openSome))
    return performance.now() - startedAt
  }

  async deliver() {
    const { connections, bodySize, target } = this.#job
    const client = await this.#peer.connect(target)
    const bodies = new BodyRing(bodySize, connections)
    const all = new Promise<void>((resolve) => {
      this.#arrived = () => {
        if (this.#reader.count === connections) resolve()
      }
      setTimeout(resolve, deliveryMsMax).unref()
    })
    const sender = await client.sender(layoutOf(0), sending)
    const startedAt = performance.now()
    let sum = 0
    for (let index = 0; index < connections; index++) {
      sum = addMark(sum, index)
      sender.send(layoutOf(index).queue, bodies.body(index))
    }
    await all
    const ms = performance.now() - startedAt
    return { ms, sent: { published: connections, confirmed: 0, deliveries: connections, sum }, received: this.#reader.received() }
  }

  async #open(index: number): Promise<void> {
    const client = await this.#peer.connect(this.#job.target)
    const layout = layoutOf(index)
    await client.declare(layout)
    await client.receive(layout, false, (_lane, body) => {
      this.#reader.read(index, body)
      this.#arrived()
    })
  }
}

const sending = { confirm: 'none', window: 0, paced: true, ahead: 1_000 } as const

function layoutOf(index: number) {
  return { kind: 'queue', queue: `idle-${index}`, durable: false } as const
}

serveRole<IdleRole>(new IdleConnections())
