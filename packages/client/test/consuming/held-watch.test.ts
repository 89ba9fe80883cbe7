import type { Message } from '@waybill/client'
import t from 'tap'
import { Collected } from '../support/collect.js'
import { consuming } from '../support/consuming.js'

t.test('held watch - holding the whole window for a minute is said once', async (t) => {
  const held = new Collected<Message>()
  const { broker, log, clock } = await consuming(held.add, { ack: 'manual', prefetch: 2 })
  const warnings = () => log.all.filter(({ event }) => event === 'prefetch-held')
  broker.peer.deliver(1, ['a', 'b'])
  await clock.advance(59_000)
  t.equal(warnings().length, 0)
  await clock.advance(1_000)
  t.match(warnings(), [{ level: 'warn', queue: 'work', unsettled: 2 }])
  await clock.advance(600_000)
  t.equal(warnings().length, 1)
})

t.test('held watch - a window that is always full and always moving is not worth a word', async (t) => {
  const held = new Collected<Message>()
  const { broker, log, clock } = await consuming(held.add, { ack: 'manual', prefetch: 1 })
  for (let i = 0; i < 10; i++) {
    broker.peer.deliver(1, ['a'])
    await clock.advance(30_000)
    held.all[i].ack()
  }
  t.equal(log.all.filter(({ event }) => event === 'prefetch-held').length, 0)
})
