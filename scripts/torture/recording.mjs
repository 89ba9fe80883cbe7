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
/** What a life has done before it ends, however slow the machine is. */
const least = { confirmed: 200, delivered: 200, answered: 100, named: 2 }
const lifeMsMax = 15_000
const keys = { quick: ['quick'], slow: ['slow'], kept: ['kept'], all: recordedQueues }
let runs = 1

export class Recording {
  run = 2 ** 31 + runs++
  disk
  /** By number: `{ sentAt, life, queues: Map of name to entry }`. */
  messages = [undefined]
  /** Queues, exchanges and bindings that come and go: `{ kind, name, declaredAt, deletedFrom, deletedAt }`. */
  names = []
  problems = []
  #random
  #broker
  #connections = []
  #life = 1
  #isStopped = false
  #isPurging = false
  /** Of this life: messages confirmed, delivered, and acked with an answer; names declared. */
  #done

  constructor(random) {
    this.#random = random
    this.disk = new RecordedDisk({ delay: () => (random.chance(0.3) ? 0 : random.next() ** 3 * 6) })
  }

  get now() {
    return this.disk.events.length
  }

  /** Two lives of about `ms` each, or longer, until there is enough to be lost. */
  async make(ms) {
    for (; this.#life <= 2; this.#life++) {
      this.#broker = await openBroker(this.disk, (level, event, fields) => this.#told(level, event, fields))
      const work = []
      this.#done = { confirmed: 0, delivered: 0, answered: 0, named: 0 }
      try {
        if (this.#life === 1) await this.#declare()
        this.#isStopped = this.#isPurging = false
        work.push(this.#publish(), this.#consume('quick', 0), this.#consume('slow', 4), this.#purge(), this.#comeAndGo())
        for (const each of work) each.catch((error) => !this.#isStopped && this.problems.push(error.stack))
        await sleep(ms * (0.7 + this.#random.next() * 0.6))
        await this.#enough()
      } finally {
        await this.#end(work)
      }
    }
    return this
  }

  async #enough() {
    const isShort = () => Object.keys(least).some((what) => this.#done[what] < least[what])
    for (const until = performance.now() + lifeMsMax; isShort() && performance.now() < until; ) await sleep(20)
    if (isShort()) this.problems.push(`life ${this.#life} has done ${JSON.stringify(this.#done)}, and not ${JSON.stringify(least)}`)
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
    await this.#name('exchange', exchange, () => connection.declareExchange(exchange, { type: 'direct', durable: true }))
    for (const queue of recordedQueues) await this.#name('queue', queue, () => connection.declareQueue(queue, { durable: true }))
    for (const [key, queues] of Object.entries(keys)) {
      for (const queue of queues)
        await this.#name('binding', bindingName(exchange, key, queue), () => connection.bindQueue(queue, exchange, key))
    }
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
        this.#done.confirmed++
        for (const entry of message.queues.values()) entry.owe(this.now)
      },
      (error) => {
        if (!this.#isStopped) this.problems.push(`message ${n} was refused: ${error.message}`)
      },
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
        this.#done.delivered++
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
      if (this.#isStopped) return
      for (const entry of answered) entry.answered(this.now)
      this.#done.answered += answered.length
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

  /** Queues and exchanges that are declared and bound, and some of them unbound and deleted. */
  async #comeAndGo() {
    const connection = await this.#connect()
    while (!this.#isStopped) {
      const [queue, source] = [`queue-${this.names.length}`, `exchange-${this.names.length}`]
      const bindings = this.#random.pick([[], ['a'], ['a', 'b']])
      const isBound = bindings.length > 0
      const declared = [await this.#name('queue', queue, () => connection.declareQueue(queue, { durable: true }))]
      if (isBound) await this.#name('exchange', source, () => connection.declareExchange(source, { type: 'direct', durable: true }))
      for (const key of bindings)
        declared.push(await this.#name('binding', bindingName(source, key, queue), () => connection.bindQueue(queue, source, key)))
      await sleep(this.#random.whole(10, 60))
      if (this.#isStopped || this.#random.chance(0.3)) continue
      if (bindings.length === 2) {
        await this.#unname([declared[1]], () => connection.unbindQueue(queue, source, 'a'))
        if (this.#isStopped || this.#random.chance(0.5)) continue
      }
      // A binding goes with either of its ends.
      if (isBound && this.#random.chance(0.5)) await this.#deleteExchange(connection, source, declared)
      else await this.#unname(declared, () => connection.deleteQueue(queue))
    }
  }

  #deleteExchange(connection, source, [, ...bindings]) {
    const name = this.names.find(({ kind, name }) => kind === 'exchange' && name === source)
    return this.#unname([name, ...bindings], () => connection.deleteExchange(source))
  }

  /** Something durable that may be there from now on, and has to be when the broker has answered. */
  async #name(kind, name, declare) {
    const known = { kind, name, declaredAt: Infinity, deletedFrom: Infinity, deletedAt: Infinity }
    this.names.push(known)
    await declare()
    known.declaredAt = this.now
    this.#done.named++
    return known
  }

  /** The same for what goes. */
  async #unname(names, remove) {
    const left = names.filter(({ deletedAt }) => deletedAt === Infinity)
    for (const name of left) name.deletedFrom = this.now
    await remove()
    for (const name of left) name.deletedAt = this.now
  }
}

/** As the broker's list of bindings has it. */
export function bindingName(source, key, target) {
  return `${source} ─ ${key} ─▶ ${target}`
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
