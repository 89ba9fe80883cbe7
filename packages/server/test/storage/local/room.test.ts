import t from 'tap'
import { openLocalLog } from '../../../dist/storage/local/index.js'
import { PaperDisk } from '../../stage/paper-disk.js'
import { PaperTime } from './paper-time.js'

t.test('local log - a disk that does not say how much room it has, has none', async (t) => {
  const time = new PaperTime()
  const disk = new PaperDisk(time.later)
  const options = { clock: { wall: () => 0 }, entropy: { name: () => 'room' }, later: time.later, wake: () => {} }
  const log = await time.wait(openLocalLog(disk, options))
  t.ok(log.space().free > 0)
  disk.space = () => {
    throw new Error('its directory is gone')
  }
  t.match(log.space(), { free: 0, total: 0 })
})
