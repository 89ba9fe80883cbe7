/**
 * One fault, from the first message to the last: a broker on fresh data, a load, what the fault does to them, the end of all publishing, and the ledger.
 *
 * Nothing of it is left behind, whatever happens: `closing` is done in reverse order, each part though another one has failed.
 */
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { BrokerProcess, freePort } from './broker.mjs'
import { Delays } from './delays.mjs'
import { Ledger } from './ledger.mjs'
import { declare, Load, orderedQueues, queues } from './load.mjs'

/** Things to be undone, last first. */
export class Closing {
  #steps = []

  add(step) {
    this.#steps.push(step)
  }

  async run() {
    for (const step of this.#steps.splice(0).reverse()) {
      try {
        await step()
      } catch (error) {
        console.error(`while cleaning up: ${error.message}`)
      }
    }
  }
}

/**
 * Runs `body({ broker, load, ledger, random, report, delays, ... })`. `place(closing)` makes the directory for the data (default: below `folder`);
 * `through(port)` gives the clients' way to the broker, if it is not the direct one. Resolves with a row of the table.
 */
export async function scenario(
  context,
  { name, strict = false, flags = [], env = {}, place, through, loadOptions = {}, expectEnd = false },
  body,
) {
  const { random, folder } = context
  const closing = new Closing()
  context.closing.add(() => closing.run())
  const ledger = new Ledger({ queues, ordered: orderedQueues, strict })
  const report = { name, times: 0, notes: [] }
  const delays = new Delays(ledger)
  const began = performance.now()
  try {
    const home = join(folder, `${name.replaceAll(' ', '-')}-${context.round}`)
    mkdirSync(home, { recursive: true })
    closing.add(() => rmSync(home, { recursive: true, force: true }))
    const data = place === undefined ? join(home, 'data') : await place(home, closing)
    const broker = new BrokerProcess({
      port: await freePort(),
      data,
      flags: [...context.flags, ...flags],
      env,
      onBroken: (message) => ledger.broke(message),
    })
    closing.add(() => broker.kill())
    delays.freshStartMs = await broker.start()
    await declare(broker.url)
    const url = through === undefined ? broker.url : await through(broker.port, closing)
    const load = new Load({ url, ledger, random: random.fork(), ...loadOptions })
    closing.add(() => load.close())
    await load.start()
    await load.next('confirm', 50)
    await body({ broker, load, ledger, random, report, delays, home, closing, data })
    if (broker.isRunning || !expectEnd) await load.drain()
    if (context.showEvents) console.log(name, Object.fromEntries(broker.events))
  } catch (error) {
    ledger.broke(error.stack ?? String(error))
  } finally {
    ledger.close()
    await closing.run()
  }
  return { ...report, ledger, restartMs: delays.list, ms: performance.now() - began }
}
