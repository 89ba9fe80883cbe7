import { encodeMeta } from '@waybill/protocol'
import t from 'tap'
import { Exchange } from '../../../dist/broker/exchanges/exchange.js'
import type { Queue } from '../../../dist/broker/queues/queue.js'
import type { Route } from '../../../dist/broker/routing/route.js'
import { Router } from '../../../dist/broker/routing/router.js'
import { BrokerRecorder } from '../recorder.js'
import { rawRecord, type RawRecord } from '../../stage/records.js'

const plain = { durable: false, autoDelete: false, internal: false, alternate: undefined }

/** Names that a test makes itself. */
function routing() {
  const recorder = new BrokerRecorder()
  const exchanges = new Map<string, Exchange>()
  const queues = new Map<string, Queue>()
  const router = new Router({ exchange: (name) => exchanges.get(name), queue: (name) => queues.get(name) })
  return {
    router,
    queue(name: string): Queue {
      const queue = recorder.queue(name)
      queues.set(name, queue)
      return queue
    },
    exchange(name: string, type: 'direct' | 'fanout' | 'topic' | 'headers', options: object = {}): Exchange {
      const exchange = new Exchange(name, { type, ...plain, ...options })
      exchanges.set(name, exchange)
      return exchange
    },
    route: (record: RawRecord): Route => router.route(rawRecord(record), 0),
  }
}

const namesOf = ({ queues }: Route): string[] => queues.map(({ name }) => name)

t.test('router - keys that lead to the same queue, or to none, share one route', async (t) => {
  const { router, queue, exchange, route } = routing()
  const [a, b] = [queue('a'), queue('b')]
  const topic = exchange('e', 'topic')
  topic.matcher.add({ key: 'a.#', target: a })
  topic.matcher.add({ key: '#.b', target: b })
  const one = route({ exchange: 'e', key: 'a.1' })
  t.strictSame(namesOf(one), ['a'])
  t.equal(route({ exchange: 'e', key: 'a.2' }), one)
  t.strictSame(namesOf(route({ exchange: 'e', key: 'x.b' })), ['b'])
  const none = route({ exchange: 'e', key: 'x' })
  t.strictSame(namesOf(none), [])
  t.equal(route({ exchange: 'e', key: 'y' }), none)
  t.not(route({ key: 'y' }), none, 'the default exchange has its own')
  t.equal(route({ key: 'y' }), route({ key: 'z' }))
  t.strictSame(namesOf(route({ exchange: 'e', key: 'a.b' })), ['a', 'b'])
  t.strictSame(namesOf(route({ exchange: 'e', key: 'a.2' })), ['a'], 'what more queues were found for does not stay')
  router.forget()
  topic.matcher.removeTarget(a)
  t.strictSame(namesOf(route({ exchange: 'e', key: 'a.1' })), [])
  t.strictSame(namesOf(route({ exchange: 'e', key: 'a.b' })), ['b'])
})

t.test(
  'router - through cycles each exchange is visited once, and each queue found once, in the order in which they are met',
  async (t) => {
    const { queue, exchange, route } = routing()
    const [first, second] = [exchange('1', 'fanout'), exchange('2', 'fanout')]
    for (const target of [queue('a'), second, queue('b'), first]) first.matcher.add({ key: '', target })
    for (const target of [queue('c'), first]) second.matcher.add({ key: '', target })
    second.matcher.add({ key: '', target: [...first.matcher.bindings()][0]!.target })
    t.strictSame(namesOf(route({ exchange: '1' })), ['a', 'b', 'c'])
    t.strictSame(namesOf(route({ exchange: '2' })), ['c', 'a', 'b'])
  },
)

t.test('router - what is not bound goes to the alternate; an exchange that led only to where the message has been was bound', async (t) => {
  const { queue, exchange, route } = routing()
  const first = exchange('first', 'fanout')
  const second = exchange('second', 'fanout', { alternate: 'rest' })
  const rest = exchange('rest', 'fanout')
  rest.matcher.add({ key: '', target: queue('lost') })
  first.matcher.add({ key: '', target: second })
  t.strictSame(namesOf(route({ exchange: 'first' })), ['lost'])
  second.matcher.add({ key: '', target: first })
  t.strictSame(namesOf(route({ exchange: 'first' })), [])
  t.strictSame(namesOf(route({ exchange: 'second' })), [])
})

t.test('router - headers make a route that holds for this message alone, wherever on the way they are asked for', async (t) => {
  const { queue, exchange, route } = routing()
  const first = exchange('first', 'direct')
  const second = exchange('second', 'headers')
  first.matcher.add({ key: 'k', target: second })
  second.matcher.add({ key: '', headers: { fraud: true }, target: queue('checked') })
  const fraud = Buffer.from(encodeMeta(undefined, { fraud: true })!.headers)
  const checked = route({ exchange: 'first', key: 'k', headers: fraud })
  t.strictSame([namesOf(checked), checked.dynamic], [['checked'], true])
  const unchecked = route({ exchange: 'first', key: 'k' })
  t.strictSame([namesOf(unchecked), unchecked.dynamic], [[], true])
  t.equal(route({ exchange: 'first', key: 'other' }).dynamic, false)
})

t.test('router - where nobody may publish', async (t) => {
  const { exchange, route } = routing()
  exchange('inner', 'fanout', { internal: true })
  t.match(route({ exchange: 'inner' }), { refusal: 403, detail: /'inner' is internal/ })
  t.match(route({ exchange: 'missing' }), { refusal: 404, detail: /'missing'/ })
  t.match(route({ key: Buffer.of(0xff) }), { refusal: 423, detail: /UTF-8/, dynamic: true })
  t.match(route({ exchange: Buffer.of(0xc0) }), { refusal: 423, dynamic: true })
})
