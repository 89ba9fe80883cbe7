/** Copies and looks beside a log that is written to, and gives back segments, for as long as they take. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { backupData, copyStill } from '../dist/backup-data.js'
import { type DataInspection, inspectData } from '../dist/inspect-data.js'
import { takeStill } from '../dist/still-data.js'
import { BusyData } from './busy-data.js'

function placeOf(t: Test): string {
  const path = mkdtempSync(join(tmpdir(), 'waybill-busy-'))
  t.teardown(() => rmSync(path, { recursive: true, force: true }))
  return path
}

function whole(t: Test, { queues, damage }: DataInspection, what: string): void {
  t.strictSame(damage, [], what)
  t.equal(queues.find(({ queue }) => queue === 'kept')?.messageCount, BusyData.keptCount, what)
  const flowCount = queues.find(({ queue }) => queue === 'flow')?.messageCount
  t.ok(flowCount === BusyData.flowCount || flowCount === 2 * BusyData.flowCount, `${what}: ${flowCount} messages that flow`)
}

const isSpare = (name: string): boolean => name.startsWith('spare-')

function segmentsIn(directory: string): string[] {
  return readdirSync(directory).filter((name) => name.startsWith('segment-'))
}

t.test('backup data - segments that are given back and used again while they are copied are in the copy as they were', async (t) => {
  const directory = placeOf(t)
  const [from, to] = [join(directory, 'data'), t.testdir({})]
  const busy = await BusyData.open(from)
  await busy.turn()
  t.ok(readdirSync(from).some(isSpare), 'what was written to last turn will be used again')
  await busy.turn()
  t.ok(busy.isInSpare, 'and is')
  const still = await takeStill(from)
  for (let i = 0; i < 4; i++) await busy.turn()
  const gone = still.files.names().filter((name) => name.startsWith('segment-') && !existsSync(join(from, name)))
  t.ok(gone.length > 0, 'not all that is copied is there any more')
  await copyStill(still.files, to)
  still.close()
  whole(t, await inspectData(to), 'the copy')
  t.strictSame(
    gone.filter((name) => !existsSync(join(to, name))),
    [],
  )

  await busy.end()
})

t.test('backup data - copies and looks beside segments that turn over all the time are whole, and hold nothing back', async (t) => {
  const directory = placeOf(t)
  const from = join(directory, 'data')
  const busy = await BusyData.open(from)
  busy.begin()
  for (let i = 0; i < 5; i++) {
    const before = busy.turnCount
    whole(t, await backupData(from, join(directory, `copy-${i}`)), `copy ${i}`)
    whole(t, await inspectData(from), `look ${i}`)
    t.ok(busy.turnCount > before, 'it went on meanwhile')
    t.ok(segmentsIn(from).length < 10, 'what is given back goes')
  }
  await busy.end()
})

t.test('backup data - real damage is named beside segments that turn over, by a look and by a copy', async (t) => {
  const directory = placeOf(t)
  const from = join(directory, 'data')
  const busy = await BusyData.open(from)
  busy.begin()
  const file = join(from, 'segment-00000002.log')
  const bytes = readFileSync(file)
  bytes[100_000] ^= 1
  writeFileSync(file, bytes)
  const where = 'segment-00000002.log offset 0'
  t.strictSame((await inspectData(from)).damage, [{ where, message: 'the block here is not what was written' }])
  t.match(await backupData(from, join(directory, 'copy')), { damage: [{ where }] })
  t.equal(statSync(join(directory, 'copy', 'segment-00000002.log')).size, bytes.length, 'it is in the copy as it is')
  await busy.end()
})
