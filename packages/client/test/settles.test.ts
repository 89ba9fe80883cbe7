/** Every promise that the client gives settles, on every way a connection can end, whatever was going on. */
import type { Connection } from '@waybill/client'
import t from 'tap'
import { Collected } from './support/collect.js'
import { error, FakeBroker, silence } from './support/fake-broker.js'

/** Everything that can be waited for, in the middle of being waited for. */
async function everything(connection: Connection, broker: FakeBroker): Promise<Promise<unknown>[]> {
  const held = new Collected<unknown>()
  const consumer = await connection.consume(
    'work',
    (message) => {
      held.add(message)
      return new Promise(() => {})
    },
    { concurrency: 2 },
  )
  const manual = await connection.consume('manual', held.add, { ack: 'manual' })
  const channel = await connection.channel()
  const publisher = connection.publisher('x', { window: 1 })
  const asked = await connection.declareQueue('replies')
  broker.peer.deliver(consumer === undefined ? 1 : 1, ['a', 'b', 'c'])
  broker.peer.deliver(2, ['d'])
  for (const type of ['DECLARE_QUEUE', 'GET', 'CANCEL', 'SETTLE', 'LIST', 'CHECK_EXCHANGE', 'OPEN', 'CONSUME', 'CLOSE'])
    broker.answers[type] = silence
  broker.confirms = false
  publisher.send('k', asked.queue)
  const stream = connection.messages('stream')
  return [
    connection.publish('x', 'k', 'in flight'),
    channel.publish('x', 'k', 'in flight'),
    connection.publish('x', 'k', 'with a signal', { signal: new AbortController().signal }),
    connection.declareQueue('q'),
    connection.checkExchange('x'),
    connection.list('queues'),
    connection.get('work', { waitMs: 60_000 }),
    connection.get('work', { waitMs: 60_000, signal: new AbortController().signal }),
    connection.channel(),
    connection.consume('other', () => {}),
    connection.request('', 'quotes', {}),
    stream.next(),
    publisher.ready(),
    publisher.flush(),
    publisher.close(),
    consumer.closed,
    manual.closed,
    manual.flush(),
    channel.close(),
  ]
}

const ends: Record<string, (broker: FakeBroker, connection: Connection) => void> = {
  'the socket is reset, and no broker comes back': (broker) => {
    broker.down = true
    broker.peer.reset()
  },
  'the broker closes with an error': (broker) => {
    broker.answers.HELLO = () => error('authenticationFailed')
    broker.peer.send({
      type: 'ERROR',
      json: { code: 321, name: 'connectionForced', scope: 'connection', retryable: false, message: 'go away' },
    })
  },
  'the broker breaks the protocol': (broker) => {
    broker.down = true
    broker.peer.sendBytes(Buffer.from('0000000000000000', 'hex'))
  },
  'the broker falls silent': (broker) => {
    broker.down = true
  },
  'the program closes the connection': (_broker, connection) => {
    connection.close({ timeoutMs: 1_000 }).catch(() => {})
  },
  'the program closes while the broker is gone': (broker, connection) => {
    broker.down = true
    broker.peer.reset()
    connection.close({ timeoutMs: 1_000 }).catch(() => {})
  },
}

for (const [how, end] of Object.entries(ends)) {
  for (const options of [{}, { unconfirmed: 'resend' }, { offline: 'fail' }, { offline: 'buffer' }, { recovery: false }] as const) {
    t.test(`settles - ${how} (${JSON.stringify(options)})`, async (t) => {
      const broker = new FakeBroker()
      broker.hello = { heartbeatMs: 5_000 }
      const recovery = 'recovery' in options ? {} : { recovery: { attempts: 4 } }
      const connection = await broker.connect({ ...recovery, ...options })
      const promises = await everything(connection, broker)
      let settledCount = 0
      for (const promise of promises) {
        promise.then(
          () => settledCount++,
          () => settledCount++,
        )
      }
      await broker.clock.advance(10)
      end(broker, connection)
      await broker.clock.advance(180_000)
      t.equal(settledCount, promises.length)
      t.match(connection.status, { state: 'closed' })
      t.equal(broker.clock.timerCount, 0, 'no timer is left')
    })
  }
}
