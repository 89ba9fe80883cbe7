import { preface } from '@waybill/protocol'
import t from 'tap'
import { type Guest, Reception } from '../../dist/turn/reception.js'
import { bytesOf } from '../stage/peer.js'
import { Stage } from '../stage/stage.js'

class Visitor implements Guest {
  readonly address: string
  readonly arrivedAt: number
  readonly local: boolean
  canGiveWay = true
  gaveWay = false
  readonly #reception: Reception

  constructor(reception: Reception, address: string, arrivedAt: number, local = false) {
    this.#reception = reception
    this.address = address
    this.arrivedAt = arrivedAt
    this.local = local
  }

  giveWay(): void {
    this.gaveWay = true
    this.#reception.leave(this)
  }
}

const limits = { unauthenticatedCount: 10, unauthenticatedPerAddressCount: 3 }

t.test('limit unauthenticatedCountMax - beyond it the oldest that has had its chance gives way to who comes', async (t) => {
  const reception = new Reception(limits)
  const visitors = Array.from({ length: 11 }, (_, i) => new Visitor(reception, `10.0.${i}.1`, 1_000 + 20 * i))
  for (const visitor of visitors) t.ok(reception.enter(visitor))
  t.same(
    visitors.map(({ gaveWay }) => gaveWay),
    [true, ...new Array(10).fill(false)],
  )
  t.equal(reception.count, 10)
})

t.test('reception - who waits for us, for its password to be checked, keeps its place', async (t) => {
  const reception = new Reception(limits)
  const visitors = Array.from({ length: 12 }, (_, i) => new Visitor(reception, `10.0.${i}.1`, 1_000 + 20 * i))
  visitors[0]!.canGiveWay = false
  for (const visitor of visitors) t.ok(reception.enter(visitor))
  t.same(
    visitors.slice(0, 4).map(({ gaveWay }) => gaveWay),
    [false, true, true, false],
  )
})

t.test('reception - clients that come all at once get twice as many places, as nobody has had a chance yet', async (t) => {
  const reception = new Reception(limits)
  const visitors = Array.from({ length: 25 }, (_, i) => new Visitor(reception, `10.0.${i}.1`, 1_000))
  const entered = visitors.filter((visitor) => reception.enter(visitor))
  t.equal(entered.length, 20)
  t.ok(visitors.every(({ gaveWay }) => !gaveWay))
  for (const visitor of entered) reception.leave(visitor)
  t.equal(reception.count, 0)
})

t.test(
  'limit unauthenticatedPerAddressCountMax - one address does not take the places of others, this machine is not counted',
  async (t) => {
    const reception = new Reception({ ...limits, unauthenticatedCount: 1_000 })
    const greedy = Array.from({ length: 20 }, (_, i) => new Visitor(reception, '10.0.0.1', 1_000 + 200 * i))
    for (const visitor of greedy) t.ok(reception.enter(visitor))
    t.equal(greedy.filter(({ gaveWay }) => !gaveWay).length, 3)
    t.ok(greedy.at(-1)!.gaveWay === false)
    const other = new Visitor(reception, '10.0.0.2', 5_000)
    t.ok(reception.enter(other))
    for (let i = 0; i < 50; i++) t.ok(reception.enter(new Visitor(reception, '127.0.0.1', 1_000, true)))
    t.notOk(other.gaveWay)
  },
)

t.test('reception - addresses of version 6 count by their first 64 bits, however they are written', async (t) => {
  const reception = new Reception({ ...limits, unauthenticatedCount: 1_000 })
  const near = [
    '2001:db8::1',
    '2001:db8:0:0:1::2',
    '2001:db8:0:0:ffff:ffff:ffff:ffff',
    '2001:db8::ffff:0:0:3',
    '2001:db8::4',
    '2001:db8:0:0::5',
    '2001:db8::6',
    '2001:db8::7',
  ]
  const entered = near.filter((address) => reception.enter(new Visitor(reception, address, 1_000)))
  t.equal(entered.length, 6, 'twice three, at once')
  t.ok(reception.enter(new Visitor(reception, '2001:db8:0:1::1', 1_000)))
  t.ok(reception.enter(new Visitor(reception, '::ffff:10.0.0.1', 1_000)))
})

t.test('reception - a flood of connections that say nothing leaves room for one that does', async (t) => {
  const stage = new Stage({ limits: { unauthenticatedCount: 50, unauthenticatedPerAddressCount: 50 } })
  const slow = Array.from({ length: 500 }, (_, i) => {
    if (i % 10 === 0) stage.pass(30)
    const peer = stage.connect(`10.0.0.${i % 200}`)
    if (i % 2 === 0) peer.send(preface)
    return peer
  })
  const honest = stage.connect('10.0.0.99')
  t.match(honest.hello(), { keeps: 'nothing' })
  const pushed = slow.filter(({ isOver }) => isOver)
  t.ok(pushed.length >= 400)
  t.match(pushed[0]!.heardBytes().subarray(8).toString(), /handshakeTimeout/, 'who has said WAYB gets an error')
  t.match(pushed[1]!.heardBytes().toString(), /Waybill port/, 'who has not gets a line')
  stage.pass(10_000)
  t.equal(stage.turn.sessions.size, 1)
})

t.test('reception - who finds no place gets the preface and the reason, before it has said a word', async (t) => {
  const stage = new Stage({ limits: { unauthenticatedCount: 5 } })
  const peers = Array.from({ length: 12 }, (_, i) => stage.connect(`10.0.${i}.1`))
  const refused = peers.filter(({ isOver }) => isOver)
  t.equal(refused.length, 2)
  const bytes = refused[0]!.heardBytes()
  t.same(bytes.subarray(0, 8), Buffer.from(preface))
  t.match(bytes.subarray(8).toString(), /"code":429.*"limit":"unauthenticatedCountMax"/)
})

t.test('limit connectionCountMax - so many are open at a time, the next one is refused when it says HELLO', async (t) => {
  const stage = new Stage({ limits: { connectionCount: 2 } })
  const first = stage.connect()
  const second = stage.connect()
  const third = stage.connect()
  t.match(first.hello(), { keeps: 'nothing' })
  t.match(second.hello(), { keeps: 'nothing' })
  t.match(third.hello(), { name: 'limitExceeded', scope: 'connection', details: { limit: 'connectionCountMax' } })
  t.ok(third.isOver)
  first.say({ type: 'CLOSE', correlation: 5, json: {} })
  t.match(stage.connect().hello(), { keeps: 'nothing' }, 'a connection that is closing has left its place')
})

t.test('reception - connections that have been told to go and do not are dropped when there are too many', async (t) => {
  const stage = new Stage({ limits: { connectionCount: 10, unauthenticatedCount: 5 } })
  for (let i = 0; i < 200; i++) stage.connect(`10.0.${i}.1`).send(bytesOf([{ type: 'HEARTBEAT' }]))
  t.ok(stage.turn.sessions.size <= 30)
  t.ok(stage.logged('connection-dropped').length > 0)
  stage.pass(6_000)
  t.equal(stage.turn.sessions.size, 0)
})
