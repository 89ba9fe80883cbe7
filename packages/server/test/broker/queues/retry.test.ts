/** The wait before a retry that nobody has given a delay: spread by a fifth to both sides, so that what failed together does not come back together. */
import t from 'tap'
import { Broker } from '../../../dist/broker/broker.js'
import type { Timed } from '../../../dist/broker/timers/timed.js'
import { TimerWheel } from '../../../dist/broker/timers/wheel.js'

function brokerWith(random: number): Broker {
  return new Broker({
    virtualHosts: ['default'],
    limits: { queueCount: 1, exchangeCount: 1, bindingCount: 1, queueConsumerCount: 1 },
    timers: new TimerWheel<Timed>(0),
    entropy: { random: () => random, name: () => 'n' },
    now: 0,
  })
}

t.test('retry - the wait is within a fifth of 1 s, 2 s, 4 s … 60 s, wherever chance falls', async (t) => {
  const nearlyOne = 1 - 2 ** -53
  for (const [i, ms] of [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000].entries()) {
    t.equal(brokerWith(0).backoffMs(i + 1), ms * 0.8)
    t.equal(brokerWith(0.5).backoffMs(i + 1), ms)
    t.equal(brokerWith(nearlyOne).backoffMs(i + 1), ms * 1.2)
  }
  t.equal(brokerWith(nearlyOne).backoffMs(4_000_000_000), 72_000, 'however often it failed')
})
