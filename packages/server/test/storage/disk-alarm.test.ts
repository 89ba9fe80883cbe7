import t from 'tap'
import { DiskAlarm } from '../../dist/storage/disk-alarm.js'

t.test('disk alarm - it is raised below the minimum, and over when there is somewhat more', async (t) => {
  const alarm = new DiskAlarm(1_600)
  alarm.look(1_600)
  t.notOk(alarm.isRaised)
  alarm.look(1_599)
  t.ok(alarm.isRaised)
  alarm.look(1_650)
  t.ok(alarm.isRaised, 'so that it does not come and go')
  alarm.look(1_700)
  t.notOk(alarm.isRaised)
  alarm.look(1_650)
  t.notOk(alarm.isRaised)
})

t.test('disk alarm - a minimum of 0 is none', async (t) => {
  const alarm = new DiskAlarm(0)
  alarm.look(0)
  t.notOk(alarm.isRaised)
})
