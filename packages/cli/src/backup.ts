/**
 * `waybill backup`: a consistent copy of the data of a broker, which may be running and busy meanwhile.
 *
 *     $ waybill backup /backups/monday
 *     copied ./waybill-data to /backups/monday in 0.4 s: log k3f9a8c2d1, 3 queues, 1,204 messages, every checksum is right
 *     to restore it, start on it: waybill serve --data /backups/monday
 */
import { backupData, type DataInspection } from '@waybill/server'
import { readArguments, UsageProblem } from './arguments.js'
import { counted } from './counted.js'
import type { Io } from './io.js'

export const backupHelp = `waybill backup TARGET        copies the data of a broker, which may be running, and verifies every checksum of the copy

  TARGET          a directory that is not there yet, or is empty; restoring is starting a broker on it, or on a copy of it
  --data DIR      the data of the broker; WAYBILL_DATA, or ./waybill-data if left out

  However busy the broker is, the copy is of one moment. What the broker gives back meanwhile frees its space when the copy is done.
  In the copy is everything that the broker had confirmed as synced before. Never run a broker on the copy beside the one that it
  was taken of, for the same clients: both would give the same names to different messages.

  Exit code: 0 when the copy is whole, 1 when something in it is damaged, each place named, 2 when there is no copy.
`

/** Resolves with the exit code. */
export async function backup(args: readonly string[], io: Io): Promise<number> {
  const began = performance.now()
  let found: DataInspection
  let source: string
  let target: string
  try {
    const { words, options } = readArguments({ command: 'backup', options: { data: { type: 'string' } }, wordsMax: 1 }, args)
    if (words.length === 0) throw new UsageProblem('waybill backup needs a directory to copy to; see waybill backup --help')
    target = words[0]
    source = (options.data as string | undefined) ?? (io.env.WAYBILL_DATA || './waybill-data')
    found = await backupData(source, target)
  } catch (error) {
    const names = ['DiskError', 'DataFormatError', 'SnapshotProblem']
    const isExpected = error instanceof UsageProblem || (error instanceof Error && names.includes(error.name))
    if (!isExpected) throw error
    io.stderr.write(`${error.message}\n`)
    return 2
  }
  const { log, queues, damage } = found
  const messageCount = queues.reduce((sum, queue) => sum + queue.messageCount, 0)
  const seconds = ((performance.now() - began) / 1000).toFixed(1)
  const what = `log ${log}, ${counted(queues.length, 'queue')}, ${counted(messageCount, 'message')}`
  const state = damage.length === 0 ? 'every checksum is right' : `${counted(damage.length, 'place')} damaged`
  io.stdout.write(`copied ${source} to ${target} in ${seconds} s: ${what}, ${state}\n`)
  for (const { where, message } of damage) io.stdout.write(`damaged: ${where}: ${message}\n`)
  io.stdout.write(`to restore it, start on it: waybill serve --data ${target}\n`)
  return damage.length > 0 ? 1 : 0
}
