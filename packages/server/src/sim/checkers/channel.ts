/** One channel as it must be: what was published on it and is not decided, what was delivered on it and is not settled. */
import type { ErrorName } from '@waybill/protocol'
import { expect, fail } from '../failure.js'
import type { SessionHome } from './home.js'
import type { ExpectedConsumer } from './consumer.js'
import type { Copy, TakenMessage } from './copies.js'
import type { ExpectedQueue } from './queue.js'

/** A message published, of which the client has not been told what became of it. */
export interface Undecided {
  readonly sequence: number
  readonly wantsConfirm: boolean
  /** What it must be refused with; undefined: it is taken. */
  readonly refusal: ErrorName | undefined
  /** The broker may refuse it for these as well: it is beyond the credit that was told, though more may have been granted; memory is short. */
  readonly alternatives: readonly ErrorName[]
  readonly queues: readonly ExpectedQueue[]
  readonly message: TakenMessage | undefined
  /** The level that it is confirmed with. */
  readonly level: number
}

export interface Unsettled {
  readonly consumer: ExpectedConsumer
  readonly copy: Copy
  readonly size: number
}

export interface ConfirmRun {
  readonly first: number
  readonly id: number
  readonly count: number
  readonly queueCount: number
  readonly level: number
}

export interface ConfirmException {
  readonly sequence: number
  readonly name: ErrorName | undefined
  readonly detail: string
}

export class ExpectedChannel {
  readonly id: number
  readonly consumers = new Map<number, ExpectedConsumer>()
  /** `get`s that have not been answered, by correlation. */
  readonly gets = new Map<number, ExpectedConsumer>()
  /** By tag. */
  readonly unsettled = new Map<number, Unsettled>()
  lastTag = 0
  publishedSequence = 0
  publishedSize = 0
  /** As far as the client has been told. */
  creditSequence = 0
  creditSize = 0
  through = 0
  /** It is being closed, or its connection is: a `get` need not wait any longer. */
  isClosing = false
  readonly undecided: Undecided[] = []

  constructor(id: number) {
    this.id = id
  }

  /** A consumer, or a `get`, with this id. */
  consumer(id: number): ExpectedConsumer | undefined {
    for (const get of this.gets.values()) if (get.id === id) return get
    return this.consumers.get(id)
  }

  /** The unsettled ones of a range of tags, in order. */
  tags(first: number, last: number): number[] {
    return [...this.unsettled.keys()].filter((tag) => tag >= first && tag <= last)
  }

  /** The broker grants so much, counted from the opening. */
  credit(sequence: number, size: number): void {
    const before = `${this.creditSequence} messages and ${this.creditSize} bytes`
    const grows = sequence >= this.creditSequence && size >= this.creditSize
    expect(grows, 'credit', () => `the credit of channel ${this.id} went from ${before} to ${sequence} and ${size}`)
    this.creditSequence = sequence
    this.creditSize = size
  }

  /** The broker says what became of everything up to `through`. */
  decide(home: SessionHome, through: number, runs: readonly ConfirmRun[], exceptions: readonly ConfirmException[]): void {
    expect(through >= this.through, 'confirm', () => `through went from ${this.through} to ${through}`)
    expect(through <= this.publishedSequence, 'confirm', () => `through is ${through}, published were ${this.publishedSequence}`)
    this.through = through
    const refused = new Map(exceptions.map((exception) => [exception.sequence, exception]))
    let run = 0
    while (this.undecided.length > 0 && this.undecided[0]!.sequence <= through) {
      const each = this.undecided.shift()!
      while (run < runs.length && runs[run]!.first + runs[run]!.count <= each.sequence) run++
      const inRun = run < runs.length && runs[run]!.first <= each.sequence ? runs[run] : undefined
      decideOne(home, each, inRun, refused.get(each.sequence))
      refused.delete(each.sequence)
    }
    for (const sequence of refused.keys()) fail('confirm', `sequence ${sequence} is refused though it had been decided`)
  }

  /** Something published that the client must be told of, and has not been. */
  get isUntold(): boolean {
    return this.undecided.some(({ wantsConfirm, refusal }) => wantsConfirm || refusal !== undefined)
  }

  turnEnds(): void {
    for (const [id, consumer] of this.consumers) {
      consumer.turnEnds()
      if (consumer.endTold && consumer.unsettledCount === 0) this.consumers.delete(id)
    }
  }
}

function decideOne(home: SessionHome, each: Undecided, run: ConfirmRun | undefined, exception: ConfirmException | undefined): void {
  const { sequence, message, refusal, queues } = each
  if (exception !== undefined) {
    const { name, detail } = exception
    expect(run === undefined, 'confirm', () => `sequence ${sequence} is both taken and refused`)
    const isRight =
      name === refusal ||
      (name !== undefined && each.alternatives.includes(name)) ||
      (name === 'storageFailed' && each.level > 1 && home.wasDiskOutSince(message!.stamp))
    expect(isRight, 'confirm', () => `sequence ${sequence} is refused with ${name} (${detail}), expected: ${refusal ?? 'taken'}`)
    if (message === undefined) return
    // What was taken before the disk failed may be on its way, or there when the broker comes back. [P-10.4]
    if (name === 'storageFailed') for (const queue of queues) queue.doubt(message)
    else {
      message.isWithdrawn = true
      for (const queue of queues) queue.withdraw(message, home.stamp)
    }
    return
  }
  expect(refusal === undefined, 'confirm', () => `sequence ${sequence} is taken, expected: ${refusal}`)
  const asked = (run !== undefined) === each.wantsConfirm
  expect(asked, 'confirm', () => `sequence ${sequence} is ${run === undefined ? 'in no run' : 'in a run that nobody asked for'}`)
  if (message !== undefined && each.alternatives.length > 0) for (const queue of queues) queue.trust(message)
  if (run === undefined) return
  const { queueCount, level } = run
  expect(
    queueCount === queues.length,
    'route',
    () => `sequence ${sequence} is in ${queueCount} queues, expected: ${queues.map(({ name }) => name).join(', ')}`,
  )
  expect(level === each.level, 'confirm', () => `sequence ${sequence} is confirmed with level ${level}, expected: ${each.level}`)
  tellId(message!, run.id + sequence - run.first)
  if (level < 3) return
  message!.isSynced = true
  home.safeThrough(message!.stamp - 1)
}

/** The broker has told the id of a message. */
export function tellId(message: TakenMessage, id: number): void {
  if (message.id === undefined) message.id = id
  expect(message.id === id, 'identity', () => `message ${message.name} was ${message.id} and is now ${id}`)
}
