/**
 * All messages that the broker has taken, in order: one message has one id, and ids rise in the order of taking, from process to process.
 *
 * What clients were told of their messages is compared with it: what was never taken is not confirmed, and what was called not stored never is.
 */
import { expect } from '../failure.js'
import type { TakenMessage } from './copies.js'
import { messageName, type PlainRecord } from './frames.js'

export class TakenMessages {
  /** The first message id of this process. */
  idLeast = 0
  readonly #all: TakenMessage[] = []
  readonly #byName = new Map<string, TakenMessage[]>()
  /** With the code that said so. */
  readonly #neverTaken = new Map<string, string>()

  /** `isLoose`: the disk has failed. */
  take(record: PlainRecord, stamp: number, isLoose: boolean): TakenMessage {
    const name = messageName(record)
    const message: TakenMessage = {
      number: this.#all.length,
      name,
      record: record.bytes,
      persistent: record.persistent,
      stamp,
      id: undefined,
      idLeast: this.idLeast,
      isWithdrawn: false,
      isSynced: false,
      isLoose,
    }
    this.#all.push(message)
    const code = this.#neverTaken.get(name)
    expect(code === undefined, 'stored', () => `message ${name} is taken, after its publisher was told ${code}: not stored`)
    const same = this.#byName.get(name)
    if (same === undefined) this.#byName.set(name, [message])
    else same.push(message)
    return message
  }

  /** The message with this name, as often as it was taken. */
  named(name: string): readonly TakenMessage[] {
    return (this.#byName.get(name) ?? []).filter(({ isWithdrawn }) => !isWithdrawn)
  }

  /** A client has been told that no queue has it, and that it is safe to send again. */
  expectNot(name: string, code: string): void {
    expect(this.named(name).length === 0, 'stored', () => `message ${name} was taken, and its publisher told ${code}: not stored`)
    this.#neverTaken.set(name, code)
  }

  /** By those that were taken before and after it. */
  canHaveId({ number, idLeast }: TakenMessage, id: number): boolean {
    const all = this.#all
    const isTelling = (message: TakenMessage): boolean => message.id !== undefined || message.idLeast !== idLeast
    let after = number + 1
    while (after < all.length && !isTelling(all[after]!)) after++
    let before = number - 1
    while (before >= 0 && !isTelling(all[before]!)) before--
    if (after < all.length && id >= (all[after]!.id ?? all[after]!.idLeast)) return false
    return id >= idLeast && (before < 0 || id > (all[before]!.id ?? 0))
  }

  checkIds(): void {
    let last = 0
    for (const { id, name, isLoose } of this.#all) {
      // On a disk that takes nothing, nothing can be said of the ids that are given out.
      if (id === undefined || isLoose) continue
      expect(id > last, 'identity', () => `message ${name} has id ${id}, one that was taken before it has ${last}`)
      last = id
    }
  }
}
