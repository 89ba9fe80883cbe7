import t from 'tap'
import { randomName, systemClock } from '../dist/clock.js'
import { VirtualClock } from './support/virtual-clock.js'

t.test('clock - that of the system goes on from the wall clock and never back', async (t) => {
  t.ok(Math.abs(systemClock.now() - Date.now()) < 60_000)
  const before = systemClock.now()
  await new Promise<void>((resolve) => systemClock.setTimeout(resolve, 5))
  t.ok(systemClock.now() > before)
  let fired = false
  const timer = systemClock.setTimeout(() => {
    fired = true
  }, 2 ** 40)
  await new Promise<void>((resolve) => systemClock.setTimeout(resolve, 5))
  t.notOk(fired, 'a delay of years does not fire at once')
  systemClock.clearTimeout(timer)
  const dice = systemClock.random()
  t.ok(dice >= 0 && dice < 1)
})

t.test('clock - a random name is made of letters of its size', async (t) => {
  const clock = new VirtualClock()
  clock.randoms = [0, 0.999999, 0.5]
  t.equal(randomName(clock, 3), 'a7q')
})
