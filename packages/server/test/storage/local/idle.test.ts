import t from 'tap'
import { openLocalLog } from '../../../dist/storage/local/index.js'
import { segmentName } from '../../../dist/storage/local/names.js'
import { offsetOf } from '../../../dist/storage/local/segment.js'
import { PaperDisk } from '../../stage/paper-disk.js'
import { PaperTime } from './paper-time.js'

async function opened(time: PaperTime, disk: PaperDisk) {
  const entropy = { name: () => 'idle' }
  return time.wait(openLocalLog(disk, { clock: { wall: () => 0 }, entropy, later: time.later, wake: () => undefined }))
}

t.test('idle marker - when all has been quiet, what was synced last is known to be', async (t) => {
  for (const isQuiet of [false, true]) {
    const time = new PaperTime()
    const disk = new PaperDisk(time.later)
    const log = await opened(time, disk)
    log.append([Buffer.from('first')], 'sync')
    const position = log.append([Buffer.from('last')], 'sync')
    await time.until(() => log.progress().synced === position)
    if (isQuiet) time.pass(250)
    time.forget()
    disk.flip(segmentName(1), offsetOf(position) + 50)
    const again = await opened(time, disk)
    const found: string[] = []
    const { damage, torn } = await again.replay(0, (_, bytes) => found.push(Buffer.from(bytes).toString()))
    t.strictSame(found, ['first'])
    t.strictSame([damage.length, torn === undefined], isQuiet ? [1, true] : [0, false], isQuiet ? 'damage' : 'a tail that was cut')
  }
})

t.test('idle marker - there is one, and then nothing is written until something happens', async (t) => {
  const time = new PaperTime()
  const disk = new PaperDisk(time.later)
  const log = await opened(time, disk)
  log.append([Buffer.from('something')], 'lazy')
  time.pass(1_000)
  const before = disk.files.get(segmentName(1))
  time.pass(60_000)
  t.equal(disk.files.get(segmentName(1)), before)
  const position = log.append([Buffer.from('something else')], 'sync')
  await time.until(() => log.progress().synced === position)
  t.not(disk.files.get(segmentName(1)), before)
})
