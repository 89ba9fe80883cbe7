/** Reading a log while something happens to it. */
import t from 'tap'
import type { LogReading } from '../../../dist/ports/log.js'
import { SimDisk } from '../../../dist/sim/disk.js'
import { Random } from '../../../dist/sim/random.js'
import { openLocalLog } from '../../../dist/storage/local/index.js'
import { PaperTime } from './paper-time.js'

async function logOnPaper() {
  const time = new PaperTime()
  const disk = new SimDisk({ random: Random.of(1, 'disk'), later: time.later })
  const log = await time.wait(
    openLocalLog(disk, {
      clock: { wall: () => time.now },
      entropy: { name: (size) => 'abcdefghij'.slice(0, size) },
      later: time.later,
      wake: () => undefined,
      segmentSize: 64 * 1024,
    }),
  )
  return { time, disk, log }
}

t.test('reading - what is written behind the end that it goes to, and in segments behind that, is passed over by nobody', async (t) => {
  const { time, log } = await logOnPaper()
  const texts = ['first', 'second', 'third']
  const first = log.append([Buffer.from('first')], 'sync')
  const found: string[] = []
  let isRead = false
  const told = ({ blocks, next }: LogReading): void => {
    for (const { bytes } of blocks) found.push(Buffer.from(bytes).toString())
    if (next === undefined) isRead = true
    else log.read(next, 100_000, told)
  }
  log.read(first, 100_000, told)
  log.append([Buffer.from('second')], 'sync')
  log.seal()
  log.append([Buffer.from('third')], 'sync')
  t.equal(log.segments().length, 2)
  await time.until(() => isRead)
  t.same(found, texts)
})

t.test('reading - what a failure takes back while it is read is not there, and is no damage', async (t) => {
  const { time, disk, log } = await logOnPaper()
  const kept = log.append([Buffer.from('synced')], 'sync')
  await time.until(() => log.progress().synced === kept)
  disk.failSyncs(1)
  log.append([Buffer.from('not synced')], 'sync')
  await time.until(() => log.progress().failed !== undefined)

  let reading: LogReading | undefined
  log.read(kept, 100_000, (told) => {
    reading = told
  })
  t.equal(log.recover(), true)
  await time.until(() => reading !== undefined)
  t.same(reading?.damage, [])
  t.same(
    reading?.blocks.map(({ bytes }) => Buffer.from(bytes).toString()),
    ['synced'],
  )
})
