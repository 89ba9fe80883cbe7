import t from 'tap'
import { wants } from '../../dist/orders/expected.js'
import { printed, total } from '../../dist/orders/grid.js'
import { headersOf, keyOf, makeEvents, type OrderEvent, queueNames } from '../../dist/orders/orders.js'

const event: OrderEvent = {
  order: 1,
  region: 'eu',
  happening: 'created',
  gift: false,
  cents: 60_000,
  country: 'DE',
  cardCountry: 'BR',
  complaints: 0,
  cardReported: false,
}

t.test('orders - the key says region and happening, and a paid gift says so', async (t) => {
  t.equal(keyOf(event), 'order.eu.created')
  t.equal(keyOf({ ...event, gift: true }), 'order.eu.created')
  t.equal(keyOf({ ...event, region: 'us', happening: 'paid', gift: true }), 'order.us.paid.gift')
})

t.test('orders - the headers say what the fraud rules compare', async (t) => {
  t.same(headersOf(event), { amount: 'large', country: 'other', complaints: 0, cardReported: false })
  t.same(headersOf({ ...event, cents: 49_999, cardCountry: 'DE' }), {
    amount: 'small',
    country: 'same',
    complaints: 0,
    cardReported: false,
  })
})

t.test('orders - the same events come at every run, and each queue wants some of them and not all', async (t) => {
  const events = [...makeEvents(200)]
  t.same(events, [...makeEvents(200)])
  t.equal(new Set(events.map(keyOf)).size, 10, 'all keys there are')
  for (const queue of queueNames) {
    const count = events.filter(wants[queue]).length
    t.ok(count > 0 && (queue === 'audit' ? count === 200 : count < 200), `${queue}: ${count}`)
  }
})

t.test('orders - fraud wants both of two signs, or one of two others', async (t) => {
  t.ok(wants.fraud(event), 'large and to another country')
  t.notOk(wants.fraud({ ...event, cents: 100 }))
  t.notOk(wants.fraud({ ...event, cardCountry: 'DE' }))
  t.ok(wants.fraud({ ...event, cents: 100, complaints: 3 }))
  t.ok(wants.fraud({ ...event, cents: 100, cardReported: true }))
  t.notOk(wants.fraud({ ...event, happening: 'paid' }), 'only when an order is new')
})

t.test('grid - one row a key in order, and the sum of each column', async (t) => {
  const grid = new Map([
    ['order.us.paid', { billing: 2, shipping: 2, audit: 2, fraud: 0 }],
    ['order.eu.created', { billing: 0, shipping: 0, audit: 31, fraud: 7 }],
  ])
  t.same(printed(grid), [
    '                       billing  shipping     audit     fraud',
    'order.eu.created             .         .        31         7',
    'order.us.paid                2         2         2         .',
    'all                          2         2        33         7',
  ])
  t.equal(total(grid, 'audit'), 33)
})
