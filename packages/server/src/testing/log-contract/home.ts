/**
 * What the suite is given: a way to run tests, and the *home* of an engine, the place that outlives logs: a directory, a store,
 * somebody else's service.
 */
import type { Log, LogOptions, Position } from '../../ports/log.js'

/** What the suite needs of a test: those of `tap` have it. */
export interface ContractTest {
  ok(value: unknown, ...message: [] | [string]): unknown
  equal(found: unknown, wanted: unknown, ...message: [] | [string]): unknown
  strictSame(found: unknown, wanted: unknown, ...message: [] | [string]): unknown
}

export interface LogHome {
  /** Opens the log: the same one each time. Segments should hold about 1 MiB. */
  open(options: LogOptions): Promise<Log>
  /** Who opens a log that has an owner fences it, or is refused. `unguarded`: this home does not see to it, somebody else has to. */
  readonly owners: 'fenced' | 'refused' | 'unguarded'
  /** Turns a byte of the block at `position`, in a log that is closed or has been read from nowhere. Left out: there is no way to. */
  damage?(position: Position): void
  /** The power goes: what is not synced may be gone. The log that was open is dead. Left out: there is no way to. */
  cutPower?(): void
  /** The syncs from now on fail, until they are told not to. Left out: there is no way to. */
  failSyncs?(isFailing: boolean): void
  /** Takes away what the test has made. */
  remove(): Promise<void>
}

/** Runs a test with a name: `(name, run) => t.test(name, run)`. */
export type ContractRunner = (name: string, run: (t: ContractTest) => Promise<void>) => unknown

/** One test of the suite, with a home of its own. */
export type HomeTest = (sentence: string, run: (t: ContractTest, home: LogHome) => Promise<void>) => void
