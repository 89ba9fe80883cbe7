/**
 * What every `Log` does, whatever it keeps its blocks in: one suite for all engines. It knows an engine by its home alone.
 *
 * The suite waits for `wake`, never for time.
 */
import { appendingContract } from './appending.js'
import { failingContract } from './failing.js'
import type { ContractRunner, HomeTest, LogHome } from './home.js'
import { fencingContract } from './fencing.js'
import { readingContract } from './reading.js'
import { segmentsContract } from './segments.js'
import { snapshotsContract } from './snapshots.js'

export type { ContractRunner, ContractTest, LogHome } from './home.js'

/** Every test gets a home of its own. `name` is that of the engine, in front of the names of the tests. */
export function logContract(runner: ContractRunner, name: string, makeHome: () => LogHome): void {
  const test: HomeTest = (sentence, run) => {
    runner(`${name} - ${sentence}`, async (t) => {
      const home = makeHome()
      try {
        await run(t, home)
      } finally {
        await home.remove()
      }
    })
  }
  appendingContract(test)
  readingContract(test)
  snapshotsContract(test)
  segmentsContract(test)
  failingContract(test)
  fencingContract(test)
}
