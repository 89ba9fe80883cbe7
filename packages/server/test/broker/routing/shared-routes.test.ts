import t from 'tap'
import { Exchange } from '../../../dist/broker/exchanges/exchange.js'
import { SharedRoutes } from '../../../dist/broker/routing/shared-routes.js'
import { BrokerRecorder } from '../recorder.js'

const fanout = { type: 'fanout', durable: false, autoDelete: false, internal: false, alternate: undefined } as const

t.test('shared routes - the same exchange and the same queues in the same order are one route, others are others', async (t) => {
  const recorder = new BrokerRecorder()
  const shared = new SharedRoutes()
  const [a, b, c] = ['a', 'b', 'c'].map((name) => recorder.queue(name))
  const [first, second] = [new Exchange('first', fanout), new Exchange('second', fanout)]
  const routes = [undefined, first, second].flatMap((exchange) =>
    [[], [a], [b], [a, b], [b, a], [a, b, c]].map((queues) => ({ exchange, queues, route: shared.find(exchange, queues, queues.length) })),
  )
  t.equal(new Set(routes.map(({ route }) => route)).size, routes.length)
  for (const { exchange, queues, route } of routes) {
    t.match(route, { refusal: 0, dynamic: false })
    t.equal(route.exchange, exchange)
    t.strictSame(
      route.queues.map(({ name }) => name),
      queues.map(({ name }) => name),
    )
    t.equal(shared.find(exchange, [...queues, c], queues.length), route, 'what stands behind the last one does not count')
  }
  shared.forget()
  t.not(shared.find(first, [a, b], 2), routes.find(({ exchange, queues }) => exchange === first && queues.length === 2)!.route)
})

t.test('shared routes - however many sets of queues there are, only so many are held, and each is right', async (t) => {
  const recorder = new BrokerRecorder()
  const shared = new SharedRoutes()
  const queues = Array.from({ length: 18 }, (_, i) => recorder.queue(`q${i}`))
  const setOf = (bits: number) => queues.filter((_, i) => ((bits >> i) & 1) === 1)
  let wrong = 0
  for (let bits = 0; bits < 1 << 18; bits++) {
    const set = setOf(bits)
    const route = shared.find(undefined, set, set.length)
    if (route.queues.length !== set.length || route.queues.some((queue, i) => queue !== set[i])) wrong++
  }
  t.equal(wrong, 0)
  t.ok(shared.size <= 32_768)
  const last = setOf((1 << 18) - 1)
  t.equal(shared.find(undefined, last, last.length), shared.find(undefined, last, last.length))
})
