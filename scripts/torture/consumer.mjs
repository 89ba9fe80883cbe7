/**
 * A consumer that mostly acks, and now and then holds a message for a while, gives it back, or retries it. It tells what comes and what it has acked,
 * and with the broker's answer that those are settled for good.
 *
 * An answer counts only if the connection was never lost between the ack and the answer: of others nobody knows what the broker has heard.
 */
const flushEveryMs = 15
const prefetch = 200

export class Consumer {
  #connection
  #queue
  #random
  #told
  #consumer
  /** Connections so far; what belongs to an earlier one is not ours any more. */
  #session = 0
  #orders = new Map()
  #acked = []
  #timer
  #isFlushing = false
  #isClosed = false
  #isWellBehaved = false

  /** `told`: `delivered(queue, message, orders)`, `acked(queue, who)`, `answered(queue, who)`, `ended(queue, reason)`. */
  constructor({ connection, queue, random, told }) {
    this.#connection = connection
    this.#queue = queue
    this.#random = random
    this.#told = told
    connection.on('status', ({ state }) => {
      if (state !== 'reconnecting' && state !== 'closed') return
      this.#session++
      this.#orders = new Map()
      this.#acked = []
    })
  }

  async start() {
    this.#consumer = await this.#connection.consume(this.#queue, (message) => this.#take(message), { ack: 'manual', prefetch })
    this.#consumer.closed.then(({ reason, error }) => {
      if (!this.#isClosed) this.#told.ended(this.#queue, `${reason}: ${error?.message ?? ''}`)
    })
    this.#timer = setInterval(() => this.#flush(), flushEveryMs)
  }

  setConsuming(isOn) {
    this.#consumer.setPrefetch(isOn ? prefetch : 0)
  }

  /** From now on it only acks. */
  behave() {
    this.#isWellBehaved = true
  }

  async close() {
    this.#isClosed = true
    clearInterval(this.#timer)
    await this.#connection.close({ timeoutMs: 2_000 })
  }

  #take(message) {
    const said = this.#told.delivered(this.#queue, message, this.#orders)
    if (said === undefined) {
      message.ack()
      return
    }
    const kind = this.#isWellBehaved ? 1 : this.#random.next()
    if (kind < 0.02) message.requeue()
    else if (kind < 0.03) message.retry({ delayMs: this.#random.whole(0, 50) })
    else if (kind < 0.06) setTimeout(() => this.#ack(message, said), this.#random.whole(1, 200))
    else this.#ack(message, said)
  }

  /** Whoever keeps the ledger has it in his hands before the broker hears of it; who writes to another process waits for that. */
  async #ack(message, said) {
    if (message.signal.aborted) return
    const session = this.#session
    const heard = this.#told.acked(this.#queue, said)
    if (heard !== undefined) await heard
    if (session === this.#session) this.#acked.push(said)
    message.ack()
  }

  async #flush() {
    if (this.#isFlushing || this.#acked.length === 0 || this.#isClosed) return
    this.#isFlushing = true
    const session = this.#session
    const acked = this.#acked
    this.#acked = []
    try {
      await this.#consumer.flush()
      // Whoever has to tell of a loss has done so by the next turn of the loop.
      await new Promise((resolve) => setImmediate(resolve))
      if (session === this.#session) for (const said of acked) this.#told.answered(this.#queue, said)
    } catch {
      // The connection was lost, or the broker has said no: what was acked may come again.
    } finally {
      this.#isFlushing = false
    }
  }
}
