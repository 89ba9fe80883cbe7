import type { Consumer } from './consumer.js'

interface Level {
  readonly priority: number
  readonly members: Consumer[]
  /** Whose turn it is. */
  turn: number
}

/** The consumers of a queue: higher priority first, in turn among equals. */
export class ConsumerRing {
  readonly #levels: Level[] = []
  size = 0

  add(consumer: Consumer): void {
    let i = 0
    while (i < this.#levels.length && this.#levels[i]!.priority > consumer.priority) i++
    let level = this.#levels[i]
    if (level === undefined || level.priority !== consumer.priority) {
      level = { priority: consumer.priority, members: [], turn: 0 }
      this.#levels.splice(i, 0, level)
    }
    level.members.push(consumer)
    this.size++
  }

  remove(consumer: Consumer): boolean {
    for (const [l, level] of this.#levels.entries()) {
      const i = level.members.indexOf(consumer)
      if (i < 0) continue
      level.members.splice(i, 1)
      if (i < level.turn) level.turn--
      if (level.members.length === 0) this.#levels.splice(l, 1)
      this.size--
      return true
    }
    return false
  }

  get highestPriority(): number {
    return this.#levels[0]?.priority ?? 0
  }

  /** The next that can take a record of this size; its turn is then over. Costs as many steps as there are consumers without credit. */
  next(size: number): Consumer | undefined {
    for (const level of this.#levels) {
      const count = level.members.length
      for (let step = 0; step < count; step++) {
        const i = (level.turn + step) % count
        const consumer = level.members[i]!
        if (!consumer.canTake(size)) continue
        level.turn = i + 1
        return consumer
      }
    }
    return undefined
  }

  someCanTake(size: number): boolean {
    for (const { members } of this.#levels) for (const consumer of members) if (consumer.canTake(size)) return true
    return false
  }

  /** Whether one of them takes messages, or has some: it will take more. */
  someIsActive(): boolean {
    for (const { members } of this.#levels)
      for (const consumer of members) if (consumer.unsettledCount > 0 || consumer.canTake(1)) return true
    return false
  }

  *[Symbol.iterator](): Iterator<Consumer> {
    for (const level of this.#levels) yield* level.members
  }
}
