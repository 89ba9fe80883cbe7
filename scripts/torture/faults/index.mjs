/** All faults, in the order in which a run goes through them. */
import { clockJumps } from './clock.mjs'
import { cutConnections } from './connections.mjs'
import { crashStates } from './crash.mjs'
import { failingDirectorySync, failingSync, failingWrites, fullDisk, shortWrites } from './disk.mjs'
import { kill, killStarting } from './kill.mjs'
import { pauseBroker, pauseConsumer } from './pauses.mjs'
import { powerCut } from './power.mjs'

export const faults = [
  kill,
  killStarting,
  crashStates,
  powerCut,
  failingSync,
  failingDirectorySync,
  failingWrites,
  shortWrites,
  fullDisk,
  pauseBroker,
  pauseConsumer,
  cutConnections,
  clockJumps,
]
