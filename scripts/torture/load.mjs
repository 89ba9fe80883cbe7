/**
 * Work for the broker: producers that never stop, and consumers that ack, hold, give back and retry; whatever they are told goes into the ledger.
 *
 *     producers ─▶ exchange 'torture' ─ one ───▶ alone-1 ─▶ a consumer
 *                                     ─ two ───▶ alone-2 ─▶ a consumer
 *                                     ─ some ──▶ shared ──▶ two consumers
 *                                     ─ all ───▶ each of them
 *
 * The topology is declared once, by somebody who leaves: after a restart it is there because the broker has kept it, or not at all.
 */
import { connect } from '@waybill/client'
import { bodySizeMin, writeBody } from './body.mjs'
import { Consumer } from './consumer.mjs'

const exchange = 'torture'
export const queues = ['alone-1', 'alone-2', 'shared']
export const orderedQueues = ['alone-1', 'alone-2']
const bindings = { one: ['alone-1'], two: ['alone-2'], some: ['shared'], all: queues }
const keys = Object.keys(bindings)
const tickMs = 5

export const connectOptions = {
  connectTimeoutMs: 60_000,
  recovery: { backoffMs: 10, backoffMaxMs: 100 },
  log: () => undefined,
}

/** Somebody comes, does something, and leaves, whatever happens: a connection that is left behind tries to come back for ever. */
export async function visit(url, call) {
  const connection = await connect(url, connectOptions)
  try {
    await call(connection)
  } finally {
    await connection.close()
  }
}

/** Declares everything, durable. */
export function declare(url) {
  return visit(url, async (connection) => {
    await connection.declareExchange(exchange, { type: 'direct', durable: true })
    for (const queue of queues) await connection.declareQueue(queue, { durable: true })
    for (const [key, targets] of Object.entries(bindings)) for (const queue of targets) await connection.bindQueue(queue, exchange, key)
  })
}

export class Load {
  /** Connections that were lost. */
  lostCount = 0
  connectionCount = 0
  #ledger
  #random
  #url
  #rate
  #window
  #sizes
  #producers = []
  #consumers = []
  #isStopped = false
  /** Who waits for something to happen: what is called then, and the timer that ends the waiting. */
  #waiters = new Map()

  /** `rate`: messages a second in all; `window`: unconfirmed ones of each producer; `sizes`: a function of the random numbers, bytes of a body. */
  constructor({ url, ledger, random, rate = 4_000, window = 256, sizes = ordinarySizes, producers = 4 }) {
    this.#url = url
    this.#ledger = ledger
    this.#random = random
    this.#rate = rate
    this.#window = window
    this.#sizes = sizes
    for (let producer = 0; producer < producers; producer++) this.#producers.push({ number: producer, pending: 0, connection: undefined })
  }

  async start({ consumers = [...orderedQueues, 'shared', 'shared'] } = {}) {
    for (const queue of consumers) await this.addConsumer(queue)
    for (const producer of this.#producers) {
      producer.connection = await this.#connect()
      producer.loop = this.#publish(producer)
    }
  }

  async addConsumer(queue) {
    const consumer = new Consumer({
      connection: await this.#connect(),
      queue,
      random: this.#random.fork(),
      told: this,
    })
    this.#consumers.push(consumer)
    await consumer.start()
    return consumer
  }

  async #connect() {
    const connection = await connect(this.#url, connectOptions)
    connection.on('status', ({ state, reason, attempt }) => {
      if (state === 'reconnecting' && attempt === 1) this.lostCount++
      if (state === 'blocked' && reason === 'disk') this.#happened('blocked')
      if (state === 'unblocked') this.#happened('unblocked')
    })
    this.connectionCount++
    return connection
  }

  // ─── what consumers tell ────────────────────────────────────────────────

  delivered(queue, message, orders, isRemote = false) {
    this.#happened('delivery')
    return this.#ledger.deliver(queue, message, orders, isRemote)
  }

  acked(queue, said) {
    this.#ledger.ack(queue, said)
  }

  answered(queue, said) {
    this.#ledger.answer(queue, said)
  }

  ended(queue, reason) {
    this.#ledger.broke(`the consumer of '${queue}' was ended: ${reason}`)
  }

  // ─── waiting ────────────────────────────────────────────────────────────

  /**
   * Resolves with the time of the next 'delivery', 'confirm', 'synced' (the confirm of a persistent message), 'refused', or of the next connection that is
   * told that it is 'blocked' (for want of disk) or 'unblocked', after so many of them; rejects after `timeoutMs`.
   */
  next(kind, count = 1, timeoutMs = 60_000) {
    return new Promise((resolve, reject) => {
      let left = count
      const timer = setTimeout(() => {
        this.#waiters.delete(waiter)
        reject(new Error(`no ${kind} within ${timeoutMs} ms`))
      }, timeoutMs)
      const waiter = (what) => {
        if (what !== kind || --left > 0) return
        clearTimeout(timer)
        this.#waiters.delete(waiter)
        resolve(performance.now())
      }
      this.#waiters.set(waiter, timer)
    })
  }

  #happened(what) {
    for (const waiter of this.#waiters.keys()) waiter(what)
  }

  /** Whether each producer has as much on its way as it may have. */
  get isWaiting() {
    return this.#producers.every(({ pending }) => pending >= this.#window)
  }

  /** Resolves when what the broker has said to producers until now is known here. */
  async heard() {
    await Promise.all(this.#producers.map(({ connection }) => connection.checkExchange(exchange)))
  }

  /** Consumers take nothing more, or go on. */
  setConsuming(isOn) {
    for (const consumer of this.#consumers) consumer.setConsuming(isOn)
  }

  // ─── the end ────────────────────────────────────────────────────────────

  /** Publishing stops, everything is decided and delivered: resolves when nothing is owed and the queues are empty, or nothing moves for `idleMs`. */
  async drain(idleMs = 20_000) {
    this.#isStopped = true
    this.setConsuming(true)
    for (const consumer of this.#consumers) consumer.behave()
    await Promise.all(this.#producers.map((producer) => producer.loop))
    let moved = performance.now()
    let before = -1
    for (;;) {
      const pending = this.#producers.reduce((sum, { pending }) => sum + pending, 0)
      if (pending === 0 && this.#ledger.owedCount === 0 && (await this.#areQueuesEmpty())) return
      const now = this.#ledger.deliveredCount - pending
      if (now !== before) moved = performance.now()
      before = now
      if (performance.now() - moved > idleMs) {
        if (pending > 0) this.#ledger.broke(`${pending} messages were neither confirmed nor refused`)
        if (this.#ledger.owedCount === 0) this.#ledger.broke(`queues do not get empty: ${JSON.stringify(await this.#counts())}`)
        return
      }
      await sleep(20)
    }
  }

  async #counts() {
    const connection = this.#producers[0].connection
    const items = await connection.list('queues')
    return items.map(({ queue, messageCount, unsettledCount, delayedCount = 0 }) => ({ queue, messageCount, unsettledCount, delayedCount }))
  }

  async #areQueuesEmpty() {
    try {
      return (await this.#counts()).every(
        ({ messageCount, unsettledCount, delayedCount }) => messageCount + unsettledCount + delayedCount === 0,
      )
    } catch {
      return false
    }
  }

  /** Who still waits for something is not told any more: a body that has failed has left it behind. */
  async close() {
    this.#isStopped = true
    for (const timer of this.#waiters.values()) clearTimeout(timer)
    this.#waiters.clear()
    const ends = [
      ...this.#consumers.map((consumer) => consumer.close()),
      ...this.#producers.map(({ connection }) => connection?.close({ timeoutMs: 2_000 })),
    ]
    await Promise.allSettled(ends)
  }

  async #publish(producer) {
    const random = this.#random.fork()
    let allowance = 0
    let last = performance.now()
    while (!this.#isStopped) {
      const now = performance.now()
      allowance = Math.min(200, allowance + ((now - last) / 1_000) * (this.#rate / this.#producers.length))
      last = now
      while (allowance >= 1 && producer.pending < this.#window && !this.#isStopped) {
        allowance--
        this.#send(producer, random)
      }
      await sleep(tickMs)
    }
  }

  #send(producer, random) {
    const { number } = producer
    const key = random.pick(keys)
    const persistent = !random.chance(0.05)
    const n = this.#ledger.send(number, bindings[key])
    const body = writeBody(this.#ledger.run, number, n, Math.max(bodySizeMin, this.#sizes(random)))
    producer.pending++
    producer.connection.publish(exchange, key, body, { persistent }).then(
      (confirmation) => {
        producer.pending--
        this.#ledger.confirm(number, n, confirmation, persistent)
        this.#happened('confirm')
        if (persistent) this.#happened('synced')
      },
      (error) => {
        producer.pending--
        this.#ledger.refuse(number, n, error.stored ?? 'unknown')
        this.#happened('refused')
      },
    )
  }
}

/** Mostly small; some of many pages, and few larger than a block of the journal. */
export function ordinarySizes(random) {
  const kind = random.next()
  if (kind < 0.8) return random.whole(bodySizeMin, 400)
  if (kind < 0.985) return random.whole(400, 8_000)
  if (kind < 0.9995) return random.whole(8_000, 100_000)
  return random.whole(100_000, 2_000_000)
}

export function sleep(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
