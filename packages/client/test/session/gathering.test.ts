import t from 'tap'
import { consuming } from '../support/consuming.js'
import { settle } from '../support/fake-broker.js'

t.test('gathering - what one turn settles is one frame', async (t) => {
  const { broker } = await consuming(() => {}, { ack: 'none' })
  broker.peer.deliver(
    1,
    Array.from({ length: 20 }, () => 'x'),
  )
  await settle()
  t.equal(broker.peer.of('SETTLE').length, 1)
})

t.test('gathering - in bulk, settlements are gathered up to a quarter of the window or a millisecond', async (t) => {
  const { broker, settled, clock } = await consuming(() => {}, { ack: 'none', prefetch: 1_000 })
  const hundred = Array.from({ length: 100 }, () => 'x')
  const turns = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) {
      broker.peer.deliver(1, hundred)
      await settle()
    }
  }
  await turns(2)
  t.same(settled(), ['1-100 ack', '101-200 ack'], 'the first ones are written at once')
  await turns(2)
  t.same(settled().length, 2, 'then they are gathered')
  await turns(1)
  t.same(settled().at(-1), '201-500 ack', 'a quarter of the window')
  await turns(1)
  t.same(settled().length, 3)
  await clock.advance(1)
  t.same(settled().at(-1), '501-600 ack', 'a millisecond')
})

t.test('gathering - who settles now and then is written at once', async (t) => {
  const { broker, settled, clock } = await consuming(() => {})
  for (let i = 1; i <= 10; i++) {
    broker.peer.deliver(1, ['x'])
    await settle()
    t.equal(settled().length, i)
    await clock.advance(1)
  }
})

t.test('gathering - a small window is given back at once', async (t) => {
  const { broker, settled } = await consuming(() => {}, { prefetch: 4 })
  for (let i = 1; i <= 10; i++) {
    broker.peer.deliver(1, ['x'])
    await settle()
    t.equal(settled().length, i)
  }
})
