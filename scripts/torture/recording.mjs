/**
 * A broker at work on a disk that is written down: small segments and snapshots, so that everything a journal does happens within seconds; it is killed in the middle,
 * and goes on. What was promised is kept with the number of the event behind which it was promised.
 *
 *     events    0 ──────────────────── killed ── recovery ─────────────── end
 *     message        sent ─ confirmed ─ owed … ─ acked ─ answered
 */
import { connect } from '@waybill/client'
import { bodySizeMin, readBody, writeBody } from './body.mjs'
import { openBroker } from './embedded.mjs'
import { connectOptions, sleep } from './load.mjs'
import { RecordedDisk } from './recorded-disk.mjs'

const exchange = 'recorded'
/** `kept` has no consumer, and is purged now and then; `slow` one that is behind. */
export const recordedQueues = ['quick', 'slow', 'kept']
const keys = { quick: ['quick'], slow: ['slow'], kept: ['kept'], all: recordedQueues }
let runs = 1

export class Recording {
  run = 2 ** 31 + runs++
  disk
  /** By number: `{ sentAt, life, queues: Map of name to entry }`. */
  messages = [undefined]
  /** Queues that come and go: `{ name, from, declaredAt, deletedFrom, deletedAt }`. */
  names = []
  problems = []
  #random
  #broker
  #connections = []
  #life = 1
  #isStopped = false
  #isPurging = false

  constructor(random) {
    this.#random = random
    this.disk = new RecordedDisk({ delay: () => (random.chance(0.3) ? 0 : random.next() ** 3 * 6) })
  }

  get now() {
    return this.disk.events.length
  }

  /** Two lives of about `ms` each. */
  async make(ms) {
    for (; this.#life <= 2; this.#life++) {
      this.#broker = await openBroker(this.disk, (level, event, fields) => this.#told(level, event, fields))
      const work = []
      try {
        if (this.#life === 1) await this.#declare()
        this.#isStopped = this.#isPurging = false
        work.push(this.#publish(), this.#consume('quick', 0), this.#consume('slow', 4), this.#purge(), this.#comeAndGo())
        await sleep(ms * (0.7 + this.#random.next() * 0.6))
      } finally {
        await this.#end(work)
      }
    }
    return this
  }

  /** The life ends in the middle of everything. */
  async #end(work) {
    this.#isStopped = true
    this.#broker.kill()
    await Promise.allSettled(work)
    await Promise.allSettled(this.#connections.splice(0).map((connection) => connection.close({ timeoutMs: 1 })))
  }

  #told(level, event, fields) {
    if (event === 'data-damaged' || level === 'error') this.problems.push(`${event} ${JSON.stringify(fields)}`)
  }

  async #connect() {
    const connection = await connect(this.#broker, { ...connectOptions, recovery: false })
    this.#connections.push(connection)
    return connection
  }

  async #declare() {
    const connection = await this.#connect()
    await connection.declareExchange(exchange, { type: 'direct', durable: true })
    for (const name of recordedQueues) {
      await connection.declareQueue(name, { durable: true })
      this.names.push({ name, declaredAt: this.now, deletedFrom: Infinity, deletedAt: Infinity })
    }
    for (const [key, queues] of Object.entries(keys)) for (const queue of queues) await connection.bindQueue(queue, exchange, key)
  }

  async #publish() {
    const connection = await this.#connect()
    while (!this.#isStopped) {
      for (let left = this.#random.whole(1, 12); left > 0; left--) this.#send(connection)
      await sleep(this.#random.whole(1, 12))
    }
  }

  #send(connection) {
    const key = this.#random.pick(Object.keys(keys))
    const n = this.messages.length
    const message = { n, sentAt: this.now, life: this.#life, queues: new Map(keys[key].map((name) => [name, new Entry()])) }
    // What is on its way together with a purge is purged, or not.
    if (this.#isPurging) message.queues.get('kept')?.acked(this.now)
    this.messages.push(message)
    const body = writeBody(this.run, 0, n, this.#size())
    connection.publish(exchange, key, body).then(
      ({ level }) => {
        if (level !== 'synced') this.problems.push(`message ${n} was confirmed as '${level}'`)
        for (const entry of message.queues.values()) entry.owe(this.now)
      },
      () => undefined,
    )
  }

  #size() {
    const kind = this.#random.next()
    if (kind < 0.85) return this.#random.whole(bodySizeMin, 600)
    if (kind < 0.99) return this.#random.whole(600, 12_000)
    return this.#random.whole(12_000, 400_000)
  }

  async #consume(queue, delayMs) {
    const connection = await this.#connect()
    let acked = []
    const consumer = await connection.consume(
      queue,
      async (message) => {
        const { n } = readBody(message.content)
        const entry = this.messages[n].queues.get(queue)
        entry.delivered(this.now, this.messages[n].life < this.#life)
        if (delayMs > 0) await sleep(this.#random.whole(0, delayMs))
        if (message.signal.aborted || this.#isStopped || this.#random.chance(0.05)) return
        entry.acked(this.now)
        acked.push(entry)
        message.ack()
      },
      { ack: 'manual', prefetch: 100, concurrency: delayMs === 0 ? 100 : 1 },
    )
    while (!this.#isStopped) {
      await sleep(this.#random.whole(5, 20))
      const answered = acked
      acked = []
      if (answered.length === 0) continue
      await consumer.flush()
      if (!this.#isStopped) for (const entry of answered) entry.answered(this.now)
    }
  }

  async #purge() {
    const connection = await this.#connect()
    while (!this.#isStopped) {
      await sleep(this.#random.whole(50, 400))
      if (this.#isStopped) return
      const entries = this.messages.slice(1).map(({ queues }) => queues.get('kept'))
      const there = entries.filter((entry) => entry !== undefined)
      // Those that are confirmed are there, and go; others may come before or after.
      const surely = there.filter((entry) => entry.isOwed)
      for (const entry of there) entry.acked(this.now)
      this.#isPurging = true
      await connection.purgeQueue('kept')
      this.#isPurging = false
      for (const entry of surely) entry.answered(this.now)
    }
  }

  /** Queues that are declared, and some of them deleted. */
  async #comeAndGo() {
    const connection = await this.#connect()
    while (!this.#isStopped) {
      const name = { name: `queue-${this.names.length}`, declaredAt: Infinity, deletedFrom: Infinity, deletedAt: Infinity }
      this.names.push(name)
      await connection.declareQueue(name.name, { durable: true })
      name.declaredAt = this.now
      await sleep(this.#random.whole(10, 60))
      if (this.#isStopped || this.#random.chance(0.3)) continue
      name.deletedFrom = this.now
      await connection.deleteQueue(name.name)
      name.deletedAt = this.now
    }
  }
}

/** One message in one queue, over time: when it had to be there, and since when it must not. */
class Entry {
  /** From, to, from, to …: events between which the disk has to have it. */
  owed = []
  answeredAt = Infinity
  deliveredAt = Infinity

  get isOwed() {
    return this.owed.length > 0 && this.owed.at(-1) === Infinity
  }

  owe(now) {
    if (this.ackedBefore) return
    if (!this.isOwed) this.owed.push(now, Infinity)
  }

  delivered(now, isRecovered) {
    this.deliveredAt = Math.min(this.deliveredAt, now)
    // What has been recovered is on the disk, whether it was ever confirmed or not; what was acked in vain is owed again.
    if (isRecovered && !this.isOwed) this.owed.push(now, Infinity)
  }

  acked(now) {
    this.ackedBefore = true
    if (this.isOwed) this.owed[this.owed.length - 1] = now
  }

  answered(now) {
    this.answeredAt = Math.min(this.answeredAt, now)
  }

  isOwedAt(count) {
    for (let i = 0; i < this.owed.length; i += 2) if (this.owed[i] <= count && count <= this.owed[i + 1]) return true
    return false
  }
}
