import t from 'tap'
import { Sweep } from '../../dist/publishing/sweep.js'
import { VirtualClock } from '../support/virtual-clock.js'

t.test('sweep - looks at the earliest deadline, with one timer', async (t) => {
  const clock = new VirtualClock()
  const start = clock.now()
  const looks: number[] = []
  const sweep = new Sweep(clock, (now) => looks.push(now - start))
  sweep.arm(start + 1_000)
  sweep.arm(start + 500)
  sweep.arm(start + 2_000)
  sweep.arm(Infinity)
  t.equal(clock.timerCount, 1)
  await clock.advance(400)
  t.same(looks, [])
  await clock.advance(5_000)
  t.same(looks, [500], 'whoever looked says when the next look is')
  sweep.arm(clock.now() + 100)
  sweep.stop()
  await clock.advance(1_000)
  t.equal(looks.length, 1)
  t.equal(clock.timerCount, 0)
})

t.test('sweep - what is due together costs one look', async (t) => {
  const clock = new VirtualClock()
  let looks = 0
  const sweep = new Sweep(clock, () => looks++)
  for (let i = 10; i > 0; i--) sweep.arm(clock.now() + i)
  await clock.advance(100)
  t.equal(looks, 1)
})
