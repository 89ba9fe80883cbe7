/**
 * The messages of a program behind the client package: those that it makes, those that it holds, and what it has decided of each. A message is whole when it
 * comes, and still is when it is settled.
 */
import type { Message } from '@waybill/client'
import { makeBody, nameOf, type Random, readBody, type World } from '../../dist/sim/index.js'

const heldMax = 400

export class ProgramMessages {
  readonly #world: World
  readonly #random: Random
  readonly #publisher: number
  readonly #fail: (message: string) => never
  #number = 0
  #held: Message[] = []
  /** Names of messages that the program has settled for good. */
  readonly #settled = { acked: new Set<string>(), rejected: new Set<string>() }

  constructor(world: World, random: Random, publisher: number, fail: (message: string) => never) {
    this.#world = world
    this.#random = random
    this.#publisher = publisher
    this.#fail = fail
  }

  /** The body of the next one that is published, and the name in it. */
  make(random: Random): { readonly body: Buffer; readonly name: string } {
    const identity = { publisher: this.#publisher, number: ++this.#number }
    return {
      body: makeBody(random.spread(12, this.#world.profile.bodySizeMax), identity.publisher, identity.number),
      name: nameOf(identity),
    }
  }

  look({ content, id, queue }: Message): void {
    const isQuestion = queue.startsWith('questions')
    if (!isQuestion && readBody(content) === undefined) this.#fail(`message ${id} of queue '${queue}' is damaged: ${content.length} bytes`)
  }

  /**
   * When the broker took it, among all messages. Ids do not say it of a process that began on a disk that takes nothing: it could not reserve any, and the
   * next one begins where it began.
   */
  numberOf({ content, id }: Message): number | undefined {
    const identity = readBody(content)
    if (identity === undefined) return undefined
    return this.#world.checkers.takenAs(nameOf(identity)).findLast((taken) => id.endsWith(`-${taken.id}`))?.number
  }

  hold(message: Message): void {
    this.look(message)
    this.#held.push(message)
    if (this.#held.length > heldMax) this.settle(this.#held.shift()!, this.#random)
  }

  /** What is held belongs to a connection that is left. */
  letGo(): void {
    this.#held = []
  }

  /** Settles up to so many of those that are held. */
  settleHeld(count: number, random: Random): void {
    for (let left = count; left > 0 && this.#held.length > 0; left--)
      this.settle(this.#held.splice(random.below(this.#held.length), 1)[0]!, random)
  }

  settle(message: Message, random: Random): void {
    this.look(message)
    const outcome = random.weighted({ ack: 80, requeue: 8, retry: 8, reject: 4 })!
    if (outcome === 'ack') this.note(message, 'acked')
    if (outcome === 'reject') this.note(message, 'rejected')
    if (outcome === 'retry') message.retry(random.chance(0.7) ? { delayMs: random.spread(1, 300) } : {})
    else message[outcome]()
  }

  /** The program has decided; the broker may be told of it from now on. */
  note({ content }: Message, outcome: 'acked' | 'rejected'): void {
    const identity = readBody(content)
    if (identity !== undefined) this.#settled[outcome].add(nameOf(identity))
  }

  /** Whether it has; what has no number in its name is not a message of such a program. */
  hasSettled(message: string, outcome: 'acked' | 'rejected'): boolean {
    return !/^\d+\.\d+$/.test(message) || this.#settled[outcome].has(message)
  }
}
