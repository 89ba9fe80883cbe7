/**
 * `waybill inspect`: what is in a data directory, every checksum verified. No byte of it is changed, and no broker is needed.
 *
 *     $ waybill inspect ./waybill-data
 *     log k3f9a8c2d1 of 7 owners; 3 exchanges, 5 bindings, 1 queue, 1,204 messages
 *
 *     file                      size  blocks  blockSize
 *     segment-00000001.log  67108864     873    3412345
 *     waybill.json                59
 *
 *     vhost    queue   messageCount     size
 *     default  emails          1204  3355443
 *
 *     every checksum is right
 */
import { type DataInspection, inspectData } from '@waybill/server'
import { readArguments, UsageProblem } from './arguments.js'
import { tableLines } from './debug/table.js'
import { counted } from './counted.js'
import type { Io } from './io.js'

export const inspectHelp = `waybill inspect DIR          prints what is in a data directory, and verifies every checksum

  DIR             ./waybill-data if left out
  --json          the same as one line of JSON

  It changes nothing, and needs no broker. Of a directory that a broker runs on it shows one moment; the last writes may look cut.

  Exit code: 0 when all is as it was written (a write that was cut at the end is no damage), 1 when something is damaged, each
  place named, 2 when there are no data to read.
`

/** Resolves with the exit code. */
export async function inspect(args: readonly string[], io: Io): Promise<number> {
  let found: DataInspection
  let isJson: boolean
  try {
    const { words, options } = readArguments({ command: 'inspect', options: { json: { type: 'boolean' } }, wordsMax: 1 }, args)
    isJson = options.json === true
    found = await inspectData(words[0] ?? './waybill-data')
  } catch (error) {
    const names = ['DiskError', 'DataFormatError', 'SnapshotProblem']
    const isExpected = error instanceof UsageProblem || (error instanceof Error && names.includes(error.name))
    if (!isExpected) throw error
    io.stderr.write(`${error.message}\n`)
    return 2
  }
  io.stdout.write(`${isJson ? JSON.stringify(found) : lines(found).join('\n')}\n`)
  return found.damage.length > 0 ? 1 : 0
}

function lines({ log, epoch, files, segments, exchangeCount, bindingCount, queues, damage, torn }: DataInspection): string[] {
  const messageCount = queues.reduce((sum, queue) => sum + queue.messageCount, 0)
  const counts = [
    counted(exchangeCount, 'exchange'),
    counted(bindingCount, 'binding'),
    counted(queues.length, 'queue'),
    counted(messageCount, 'message'),
  ]
  const rows = files.map(({ name: file, size }) => {
    const segment = segments.find(({ name }) => name === file)
    return { file, size, ...(segment === undefined ? {} : { blocks: segment.blockCount, blockSize: segment.size }) }
  })
  return [
    `log ${log} of ${counted(epoch, 'owner')}; ${counts.join(', ')}`,
    '',
    ...tableLines(rows),
    ...(queues.length === 0 ? [] : ['', ...tableLines(queues)]),
    '',
    ...(torn === undefined ? [] : [`cut: ${torn.where}: ${torn.message}; a broker goes on before it`]),
    ...damage.map(({ where, message }) => `damaged: ${where}: ${message}`),
    damage.length === 0 ? 'every checksum is right' : `${counted(damage.length, 'place')} damaged; a broker serves everything else`,
  ]
}
