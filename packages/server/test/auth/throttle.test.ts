import t from 'tap'
import { LoginThrottle } from '../../dist/auth/throttle.js'

t.test('throttle - five failures are free, then the wait doubles from 0.1 s to 5 s', async (t) => {
  const throttle = new LoginThrottle()
  const waits: number[] = []
  let now = 1_000
  for (let failure = 0; failure < 13; failure++) {
    const waitMs = throttle.waitMs('10.0.0.1', 'ann', now)
    waits.push(waitMs)
    now += waitMs
    throttle.failed('10.0.0.1', 'ann', now)
  }
  t.same(waits, [0, 0, 0, 0, 0, 100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000])
})

t.test('throttle - the wait runs out', async (t) => {
  const throttle = new LoginThrottle()
  for (let i = 0; i < 6; i++) throttle.failed('a', 'u', 500)
  t.equal(throttle.waitMs('a', 'u', 500), 200)
  t.equal(throttle.waitMs('a', 'u', 699), 1)
  t.equal(throttle.waitMs('a', 'u', 700), 0)
})

t.test('throttle - other users and other addresses do not wait', async (t) => {
  const throttle = new LoginThrottle()
  for (let i = 0; i < 10; i++) throttle.failed('10.0.0.1', 'ann', 0)
  t.ok(throttle.waitMs('10.0.0.1', 'ann', 0) > 0)
  t.equal(throttle.waitMs('10.0.0.2', 'ann', 0), 0)
  t.equal(throttle.waitMs('10.0.0.1', 'bob', 0), 0)
})

t.test('throttle - success and ten quiet minutes end it', async (t) => {
  const throttle = new LoginThrottle()
  for (let i = 0; i < 10; i++) throttle.failed('a', 'u', 0)
  throttle.succeeded('a', 'u')
  t.equal(throttle.waitMs('a', 'u', 0), 0)
  for (let i = 0; i < 10; i++) throttle.failed('a', 'u', 0)
  throttle.failed('a', 'u', 600_000)
  t.equal(throttle.waitMs('a', 'u', 600_000), 0, 'the count began again')
})

t.test('throttle - a flood of made-up users takes bounded memory, and the last that failed are remembered', async (t) => {
  const throttle = new LoginThrottle({ pairCountMax: 100 })
  for (let i = 0; i < 10_000; i++) {
    throttle.failed('a', `user${i}`, 0)
    if (i % 10 === 0) throttle.failed('a', 'ann', 0)
  }
  t.equal(throttle.size, 100)
  t.ok(throttle.waitMs('a', 'ann', 0) > 0)
})
