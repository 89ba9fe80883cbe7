import t from 'tap'
import { consuming } from '../support/consuming.js'
import { settle } from '../support/fake-broker.js'

t.test('error listeners - unheard errors are lines in the log, not too many', async (t) => {
  const { broker, consumer, log, clock } = await consuming(() => {
    throw new Error('broken')
  })
  for (let i = 0; i < 20; i++) {
    broker.peer.deliver(1, ['a'])
    await settle()
  }
  const lines = () => log.all.filter(({ event }) => event === 'handler-failed')
  t.equal(lines().length, 5)
  t.match(lines()[0], { level: 'error', queue: 'work', id: 'log-1', message: 'broken' })
  await clock.advance(10_000)
  broker.peer.deliver(1, ['a'])
  await settle()
  t.match(lines()[5], { suppressed: 15 })
  consumer.on('error', () => {})
  broker.peer.deliver(1, ['a'])
  await settle()
  t.equal(lines().length, 6, 'somebody listens now')
})

t.test('error listeners - an error listener that throws is logged', async (t) => {
  const { broker, consumer, log } = await consuming(() => {
    throw new Error('broken')
  })
  consumer.on('error', () => {
    throw new Error('mistake')
  })
  broker.peer.deliver(1, ['a'])
  await settle()
  t.ok(log.all.some(({ event, on }) => event === 'listener-failed' && on === 'error'))
})
