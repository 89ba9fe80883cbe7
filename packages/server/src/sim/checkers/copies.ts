/**
 * The messages of one queue, in the order in which they were taken for it, and by their names. A message that was published more than once has a copy for
 * each time, all of one name.
 *
 *     gone │ gone │ ready │ unsettled │ gone │ delayed │ ready          what has come to its end is found by its name no more
 */
import { expect } from '../failure.js'

/** A message that the broker has taken. */
export interface TakenMessage {
  /** In the order of taking. */
  readonly number: number
  /** Its own name, from the body. */
  readonly name: string
  readonly record: Buffer
  readonly persistent: boolean
  /** When it was taken: see `SessionHome.stamp`. */
  readonly stamp: number
  /** The broker's; known when a confirm or a delivery has told it. */
  id: number | undefined
  /** The first id that the process gives out which has taken it. */
  readonly idLeast: number
  /** It was refused after all, for a reason that could not be foreseen. */
  isWithdrawn: boolean
  /** Its publisher was told that the disk has it. */
  isSynced: boolean
  /** It was taken when the disk had failed: nothing follows for it from what else is kept. */
  readonly isLoose: boolean
}

/** `lost`: with the end of a process; it was not to be kept, or nobody had been told that it was. */
export type CopyEnd = 'acked' | 'rejected' | 'purged' | 'deleted' | 'sent' | 'lost'

export interface Copy {
  readonly message: TakenMessage
  readonly position: number
  state: 'ready' | 'unsettled' | 'delayed' | 'gone'
  end: CopyEnd | undefined
  /** How often it has been seen on its way. */
  deliveredCount: number
  failureCount: number
  /** The batch in which it became ready. */
  readySince: number
  /** When a retry comes back: not before, and at the latest with the turn at. */
  dueFrom: number
  dueTo: number
  /**
   * It may not be there: sent to a consumer without settlements whose connection ended before the bytes left, lost with a process, or refused and its
   * publisher not told yet.
   */
  isUnsure: boolean
  /** When it came to its end. */
  endStamp: number
  /** It was delivered by a process that has ended. */
  wasDelivered: boolean
}

/** What a delivery says of its message. */
export interface DeliveryFlags {
  readonly redelivered: boolean
  readonly deliveryCount: number
  readonly failureCount: number
}

/** Delivery counts go no further. */
const deliveryCountMax = 0xfff

export class Copies {
  readonly #all: Copy[] = []
  readonly #byName = new Map<string, Copy[]>()
  /** Those before are gone. */
  #first = 0

  /** A new one, ready from this batch on. */
  add(message: TakenMessage, batch: number): void {
    const copy: Copy = {
      message,
      position: this.#all.length,
      state: 'ready',
      end: undefined,
      deliveredCount: 0,
      failureCount: 0,
      readySince: batch,
      dueFrom: 0,
      dueTo: 0,
      isUnsure: false,
      endStamp: 0,
      wasDelivered: false,
    }
    this.#all.push(copy)
    this.remember(copy)
  }

  /** Those that are not gone, in order. */
  *live(): Iterable<Copy> {
    while (this.#first < this.#all.length && this.#all[this.#first]!.state === 'gone') this.#first++
    for (let i = this.#first; i < this.#all.length; i++) if (this.#all[i]!.state !== 'gone') yield this.#all[i]!
  }

  of(message: TakenMessage): Copy | undefined {
    return this.#byName.get(message.name)?.find((each) => each.message === message)
  }

  named(name: string): readonly Copy[] {
    return this.#byName.get(name) ?? []
  }

  /** It is there, or there again. */
  remember(copy: Copy): void {
    this.#first = Math.min(this.#first, copy.position)
    const same = this.#byName.get(copy.message.name)
    if (same === undefined) this.#byName.set(copy.message.name, [copy])
    else same.push(copy)
  }

  /** It has come to its end. */
  forget(copy: Copy): void {
    const same = this.#byName.get(copy.message.name)!
    if (same.length === 1) this.#byName.delete(copy.message.name)
    else same.splice(same.indexOf(copy), 1)
  }

  /** All that ever were, of which none is remembered any more. */
  forgetAll(): readonly Copy[] {
    this.#byName.clear()
    return this.#all
  }
}

/** What a delivery says of the times before is true: they may have been more than were seen. */
export function expectFlags(copy: Copy, { redelivered, deliveryCount, failureCount }: DeliveryFlags, words: () => string): void {
  const before = copy.deliveredCount
  expect(
    redelivered || (before === 0 && !copy.wasDelivered),
    'redelivered',
    () => `${words()} comes for the ${before + 1}. time without the flag`,
  )
  expect(
    deliveryCount > Math.min(before, deliveryCountMax - 1),
    'counts',
    () => `${words()} was delivered ${before} times, its delivery count is ${deliveryCount}`,
  )
  expect(redelivered || deliveryCount === 1, 'counts', () => `${words()} has delivery count ${deliveryCount} without the flag`)
  expect(failureCount === copy.failureCount, 'counts', () => `${words()} failed ${copy.failureCount} times, it says ${failureCount}`)
}
