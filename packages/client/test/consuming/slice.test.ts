import t from 'tap'
import { Slice } from '../../dist/consuming/slice.js'
import { VirtualClock } from '../support/virtual-clock.js'

t.test('slice - slow handlers are noticed one by one, a turn of the event loop begins anew', async (t) => {
  const clock = new VirtualClock()
  const slice = new Slice(clock)
  t.notOk(slice.isOver(1))
  await clock.advance(30)
  t.notOk(slice.isOver(1))
  await clock.advance(30)
  t.ok(slice.isOver(1))
  t.notOk(slice.isOver(2))
  await clock.advance(60)
  t.ok(slice.isOver(2))
  slice.reset()
  t.notOk(slice.isOver(2))
})

t.test('slice - quick handlers cost a look at the clock for each eight of them', async (t) => {
  const clock = new VirtualClock()
  const slice = new Slice(clock)
  let looks = 0
  const now = clock.now()
  clock.now = () => {
    looks++
    return now
  }
  let over = 0
  for (let i = 0; i < 8_000; i++) if (slice.isOver(1)) over++
  t.equal(over, 0)
  t.ok(looks < 1_010, `${looks} looks`)
})
