/** The promises that a client has given its program: each settles, with a value, or with an error that has a code. */
import { UsageError, WaybillError } from '@waybill/client'
import { SimulationFailure, type World } from '../../dist/sim/index.js'

export class Promises {
  readonly #world: World
  /** The client's. */
  readonly #name: string
  readonly #pending = new Set<string>()
  /** So far. */
  count = 0

  constructor(world: World, name: string) {
    this.#world = world
    this.#name = name
  }

  get areKept(): boolean {
    return this.#pending.size === 0
  }

  get waitsFor(): string {
    return `${this.#name} waits for ${[...this.#pending].slice(0, 5).join(', ')}`
  }

  track<T>(
    what: string,
    start: () => Promise<T>,
    then: (value: T) => void = () => undefined,
    otherwise: (error: WaybillError) => void = () => undefined,
  ): void {
    const name = `${what} (${++this.count})`
    this.#pending.add(name)
    start().then(
      (value) => {
        this.#pending.delete(name)
        this.#world.tally.count(`client promise kept: ${what}`)
        this.#checked(() => then(value))
      },
      (error: unknown) => {
        this.#pending.delete(name)
        this.#checked(() => {
          if (!(error instanceof WaybillError)) this.fail(`${what} is rejected with ${String((error as Error)?.stack ?? error)}`)
          if (error instanceof UsageError && error.code !== 'CLOSED')
            this.fail(`${what} is rejected with a mistake of the program: ${error.message}`)
          this.#world.tally.count(`client promise broken: ${what} ${error.code}`)
          otherwise(error)
        })
      },
    )
  }

  /** What the client does is wrong. */
  fail(message: string): never {
    const failure = new SimulationFailure('client', `${this.#name}: ${message}`)
    this.#world.fail(failure)
    throw failure
  }

  /** Nobody catches what is thrown from a callback of the client. */
  #checked(run: () => void): void {
    try {
      run()
    } catch (error) {
      this.#world.fail(error instanceof SimulationFailure ? error : new SimulationFailure('client', String((error as Error).stack)))
    }
  }
}
