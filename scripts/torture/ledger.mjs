/**
 * The ledger: what was promised about each message, kept apart from the broker, and what the broker did with it.
 *
 *     sent ─▶ confirmed ─▶ owed to each of its queues ─▶ delivered ─▶ acked ─▶ answered: settled for good
 *         └─▶ refused: nobody may ever get it               └─ may come again, flagged ─┘  └─ may never come again
 *
 * A message is known by producer and number; both stand in its body. Invariant: `owedCount` is the number of (message, queue) that were
 * confirmed as synced and that nobody has acked yet. When everything is drained it is 0, or something is lost.
 */
import { readBody } from './body.mjs'

const sent = 1
const confirmed = 2
const refused = 3
/** Nobody knows whether the broker has it, and both is right. */
const unknown = 4
/** Taken, but not promised to survive anything. */
const received = 5

const acked = 1
const answered = 2
/** It was once delivered without the flag that says "again". */
const fresh = 4

const problemsMax = 20
let runs = 0

/** What may go wrong, as columns of the table; each must be 0. */
export const problemKinds = [
  'lost',
  'invented',
  'damaged',
  'disordered',
  'unflagged',
  'returned',
  'misrouted',
  'misnamed',
  'weak',
  'broken',
]

export class Ledger {
  /** In every body. */
  run
  confirmedCount = 0
  refusedCount = 0
  unknownCount = 0
  deliveredCount = 0
  redeliveredCount = 0
  answeredCount = 0
  owedCount = 0
  counts = Object.fromEntries(problemKinds.map((kind) => [kind, 0]))
  /** The first ones, in words. */
  problems = []
  #queues
  #producers = []
  #ordered
  #strict

  /**
   * `queues`: their names; at most 8. `ordered`: those with one consumer at a time. `strict`: no connection ends but with the broker itself, so
   * that whatever such a queue shows for the first time is in order, also what was recovered.
   */
  constructor({ queues, ordered = [], strict = false }) {
    this.run = (process.pid % 2 ** 16) * 2 ** 16 + (runs++ % 2 ** 16)
    this.#queues = new Map(queues.map((name, index) => [name, index]))
    this.#ordered = new Set(ordered.map((name) => this.#queues.get(name)))
    this.#strict = strict
  }

  /** How many messages a producer has sent. */
  sentCount(producer) {
    return this.#of(producer).count
  }

  /** How many were not taken, or perhaps not. */
  get deniedCount() {
    return this.refusedCount + this.unknownCount
  }

  get sentTotal() {
    return this.#producers.reduce((sum, each) => sum + (each?.count ?? 0), 0)
  }

  /** The next message of a producer, to these queues; its number, from 1. */
  send(producer, queues) {
    const book = this.#of(producer)
    const n = ++book.count
    if (n >= book.states.length) book.grow()
    book.states[n] = sent
    for (const name of queues) book.masks[n] |= 1 << this.#queues.get(name)
    return n
  }

  /** `isSynced`: by what was asked for, the confirm has to be of that level; else it must not be. */
  confirm(producer, n, { id, level, queues }, isSynced = true) {
    const book = this.#of(producer)
    const mask = book.masks[n]
    if (bitCount(mask) !== queues)
      this.problem('misrouted', `${name(producer, n)} was taken by ${queues} queues instead of ${bitCount(mask)}`)
    if (isSynced !== (level === 'synced')) this.problem('weak', `${name(producer, n)} was confirmed as '${level}'`)
    const number = numberOf(id)
    if (number <= book.lastId) this.problem('misnamed', `${name(producer, n)} is called ${id}, the one before it was ${book.lastId}`)
    if (book.ids[n] !== 0 && book.ids[n] !== number)
      this.problem('misnamed', `${name(producer, n)} is called ${id}, and came as ${book.ids[n]}`)
    book.lastId = number
    book.ids[n] = number
    if (level !== 'synced') {
      book.states[n] = received
      return
    }
    book.states[n] = confirmed
    this.confirmedCount++
    for (let queue = 0; queue < this.#queues.size; queue++)
      if ((mask >> queue) & 1 && (book.marks[queue][n] & acked) === 0) this.owedCount++
  }

  /** `stored`: 'no' means that nobody gets it. */
  refuse(producer, n, stored) {
    const book = this.#of(producer)
    if (stored === 'no') {
      book.states[n] = refused
      this.refusedCount++
      for (let queue = 0; queue < this.#queues.size; queue++)
        if (book.seen[queue][n] > 0) this.problem('invented', `${name(producer, n)} was refused, and had been delivered`)
      return
    }
    book.states[n] = unknown
    this.unknownCount++
  }

  /**
   * Something came. Returns who it is, or undefined for what is no message of ours. `orders` are the consumer's own numbers, for as long as its
   * connection lasts (`new Map()` at first); `isRemote`: others may have had it, in truth, before the last who told us.
   */
  deliver(queueName, { content, redelivered, id }, orders, isRemote = false) {
    this.deliveredCount++
    if (redelivered) this.redeliveredCount++
    const said = readBody(content)
    if (said === undefined) {
      this.problem('damaged', `${content.length} bytes from '${queueName}' (${id}) are not what was published`)
      return undefined
    }
    const { run, producer, n } = said
    const queue = this.#queues.get(queueName)
    const book = this.#producers[producer]
    if (run !== this.run || book === undefined || n < 1 || n > book.count || ((book.masks[n] >> queue) & 1) === 0) {
      this.problem('invented', `${name(producer, n)} of ${run} came from '${queueName}' (${id})`)
      return undefined
    }
    const marks = book.marks[queue]
    const seen = book.seen[queue]
    if (book.states[n] === refused) this.problem('invented', `${name(producer, n)} was refused, and came from '${queueName}'`)
    // What was on its way to somebody whose connection has ended may be read later than what the next one got.
    const isLate = (isRemote || !this.#strict) && !redelivered && (marks[n] & fresh) === 0
    if (marks[n] & answered && !isLate)
      this.problem(
        'returned',
        `${name(producer, n)} came from '${queueName}' again, though it was settled for good${redelivered ? '' : ', as if it were new'}`,
      )
    const number = numberOf(id)
    if (book.ids[n] === 0) book.ids[n] = number
    else if (book.ids[n] !== number) this.problem('misnamed', `${name(producer, n)} is ${book.ids[n]}, and came as ${id}`)
    if (!redelivered) {
      if (seen[n] > 0 && !isLate) this.problem('unflagged', `${name(producer, n)} came from '${queueName}' a second time as if it were new`)
      marks[n] |= fresh
      this.#inOrder(orders, producer, n, queueName)
      if (this.#ordered.has(queue)) this.#inOrder(book.firsts[queue], 'new', n, queueName, producer)
    }
    if (seen[n] === 0 && this.#strict && this.#ordered.has(queue)) this.#inOrder(book.firsts[queue], 'seen', n, queueName, producer)
    if (seen[n] < 255) seen[n]++
    return said
  }

  /** It is being acked, by whom it belongs to as far as he knows. */
  ack(queueName, { producer, n }) {
    const queue = this.#queues.get(queueName)
    const book = this.#of(producer)
    if (book.marks[queue][n] & acked) return
    book.marks[queue][n] |= acked
    if (book.states[n] === confirmed) this.owedCount--
  }

  /** The broker has answered to the ack. */
  answer(queueName, { producer, n }) {
    this.answeredCount++
    this.#of(producer).marks[this.#queues.get(queueName)][n] |= answered
  }

  /** The end: whatever is owed now is lost. Returns whether nothing is wrong. */
  close() {
    if (this.owedCount > 0) {
      for (const [producer, book] of this.#producers.entries()) {
        for (let n = 1; n <= (book?.count ?? 0); n++) {
          if (book.states[n] !== confirmed) continue
          for (const [queueName, queue] of this.#queues) {
            if (((book.masks[n] >> queue) & 1) === 0 || book.marks[queue][n] & acked) continue
            this.problem(
              'lost',
              `${name(producer, n)} (${book.ids[n]}) was confirmed for '${queueName}', delivered ${book.seen[queue][n]} times, never acked`,
            )
          }
        }
      }
    }
    return this.isGood
  }

  get isGood() {
    return problemKinds.every((kind) => this.counts[kind] === 0)
  }

  /** Something else that must not be: the broker ended by itself, a file is named as damaged. */
  broke(message) {
    this.problem('broken', message)
  }

  #inOrder(orders, key, n, queueName, producer = key) {
    const last = orders.get(key) ?? 0
    if (n <= last) this.problem('disordered', `${name(producer, n)} came first from '${queueName}' after ${name(producer, last)}`)
    else orders.set(key, n)
  }

  /** Something is not as it was promised. */
  problem(kind, message) {
    this.counts[kind]++
    if (this.problems.length < problemsMax) this.problems.push(`${kind}: ${message}`)
  }

  #of(producer) {
    this.#producers[producer] ??= new Book(this.#queues.size)
    return this.#producers[producer]
  }
}

/** All messages of one producer, by number. */
class Book {
  count = 0
  lastId = 0
  states = new Uint8Array(1024)
  masks = new Uint8Array(1024)
  ids = new Float64Array(1024)
  marks
  seen
  /** By queue: the highest number that came as new, and that was seen first. */
  firsts

  constructor(queueCount) {
    this.marks = Array.from({ length: queueCount }, () => new Uint8Array(1024))
    this.seen = Array.from({ length: queueCount }, () => new Uint8Array(1024))
    this.firsts = Array.from({ length: queueCount }, () => new Map())
  }

  grow() {
    const copied = (from) => {
      const to = new from.constructor(from.length * 2)
      to.set(from)
      return to
    }
    this.states = copied(this.states)
    this.masks = copied(this.masks)
    this.ids = copied(this.ids)
    this.marks = this.marks.map(copied)
    this.seen = this.seen.map(copied)
  }
}

function bitCount(mask) {
  let count = 0
  for (let rest = mask; rest > 0; rest >>= 1) count += rest & 1
  return count
}

function numberOf(id) {
  return Number(id.slice(id.lastIndexOf('-') + 1))
}

function name(producer, n) {
  return `message ${n} of producer ${producer}`
}
