/** A broker made of one process, which can be killed and started again: `launch` starts it, each time alike. */
import type { BrokerProcess } from '../broker-process.js'
import type { Broker } from './peer.js'

export class RunningBroker implements Broker {
  readonly target: string
  readonly #launch: () => Promise<BrokerProcess>
  #process: BrokerProcess

  private constructor(target: string, launch: () => Promise<BrokerProcess>, process: BrokerProcess) {
    this.target = target
    this.#launch = launch
    this.#process = process
  }

  static async start(target: string, launch: () => Promise<BrokerProcess>): Promise<RunningBroker> {
    return new RunningBroker(target, launch, await launch())
  }

  get pid(): number {
    return this.#process.pid
  }

  kill(): Promise<void> {
    return this.#process.stop('SIGKILL')
  }

  async startAgain(): Promise<void> {
    this.#process = await this.#launch()
  }

  stop(): Promise<void> {
    return this.#process.stop()
  }
}
