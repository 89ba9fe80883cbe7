import { decodeResult } from '@waybill/protocol'
import t from 'tap'
import { Page } from '../../dist/turn/page.js'
import { forSeeds } from '../seeds.js'
import type { Peer } from '../stage/peer.js'
import { Stage } from '../stage/stage.js'

type Item = Record<string, unknown>

/** All pages of a list, each valid against its schema. */
function listAll(peer: Peer, kind: string, limit: number, more: object = {}): Item[] {
  const items: Item[] = []
  let after: string | undefined
  for (let pages = 0; pages < 1_000; pages++) {
    const page = peer.request('LIST', 0, { kind, limit, ...more, ...(after === undefined ? {} : { after }) })
    const text = Buffer.from(JSON.stringify(page))
    const { problem } = decodeResult('list', text, 0, text.length)
    if (problem !== undefined) throw new Error(problem.message)
    items.push(...(page.items as Item[]))
    if (page.next === undefined) return items
    if ((page.items as Item[]).length !== limit) throw new Error('a page with more behind it is full')
    after = page.next as string
  }
  throw new Error('the pages do not end')
}

t.test('lists - every kind in pages of any size gives the same, each thing once, and nothing of other virtual hosts', async (t) => {
  const stage = new Stage({ virtualHosts: ['default', 'other'] })
  const peer = stage.connect().open()
  const other = stage.connect().open(1, { vhost: 'other' })
  other.request('DECLARE_QUEUE', 1, { queue: 'elsewhere' })
  for (let i = 0; i < 7; i++) {
    peer.request('DECLARE_QUEUE', 1, { queue: `q${i}` })
    peer.request('DECLARE_EXCHANGE', 1, { exchange: `e${i}`, type: 'topic' })
    peer.request('BIND_QUEUE', 1, { queue: `q${i}`, exchange: 'e0', key: `k${i % 3}` })
    peer.request('BIND_QUEUE', 1, { queue: 'q0', exchange: 'e0', key: `k${i}` })
    if (i > 0) peer.request('BIND_EXCHANGE', 1, { source: 'e0', target: `e${i}`, key: '#' })
    peer.request('OPEN', 10 + i, {})
    peer.request('CONSUME', 10 + i, { consumer: 1 + i, queue: `q${i}` })
    stage.connect().hello({ client: { product: 'test', version: '1', name: `worker ${i}` } })
  }
  for (const [kind, count] of [
    ['queues', 7],
    ['exchanges', 7],
    ['bindings', 19],
    ['connections', 8],
    ['channels', 8],
    ['consumers', 7],
  ] as const) {
    const whole = listAll(peer, kind, 1_000)
    t.equal(whole.length, count, kind)
    t.equal(new Set(whole.map((item) => JSON.stringify(item))).size, count, `${kind} are told once`)
    if (kind === 'connections') continue
    for (const limit of [1, 2, 3, 6, 7, 8]) t.same(listAll(peer, kind, limit), whole, `${kind} by ${limit}`)
  }
  t.same(
    listAll(other, 'queues', 10).map(({ queue }) => queue),
    ['elsewhere'],
  )
})

t.test('lists - a prefix keeps the names that begin with it', async (t) => {
  const stage = new Stage()
  const peer = stage.connect().open()
  for (const queue of ['a', 'ab', 'abc', 'b']) {
    peer.request('DECLARE_QUEUE', 1, { queue })
    peer.request('CONSUME', 1, { consumer: queue.charCodeAt(0) * 10 + queue.length, queue })
  }
  t.same(
    listAll(peer, 'queues', 1, { prefix: 'ab' }).map(({ queue }) => queue),
    ['ab', 'abc'],
  )
  t.same(listAll(peer, 'consumers', 10, { prefix: 'b' }).length, 1)
  t.same(listAll(peer, 'queues', 10, { prefix: 'c' }), [])
  t.match(peer.request('LIST', 0, { kind: 'channels', prefix: 'a' }), { name: 'requestInvalid', details: { field: 'prefix' } })
})

t.test('lists - bindings that differ in their headers alone, and names with line ends, are all told', async (t) => {
  const stage = new Stage()
  const peer = stage.connect().open()
  peer.request('DECLARE_QUEUE', 1, { queue: 'q' })
  peer.request('DECLARE_EXCHANGE', 1, { exchange: 'h', type: 'headers' })
  for (let i = 0; i < 5; i++) peer.request('BIND_QUEUE', 1, { queue: 'q', exchange: 'h', headers: { n: i } })
  for (const [exchange, queue] of [
    ['a', 'b\nc'],
    ['a\nb', 'c'],
  ] as const) {
    peer.request('DECLARE_EXCHANGE', 1, { exchange, type: 'fanout' })
    peer.request('DECLARE_QUEUE', 1, { queue })
    peer.request('BIND_QUEUE', 1, { queue, exchange })
  }
  for (const limit of [1, 2, 100]) t.equal(listAll(peer, 'bindings', limit).length, 7)
})

t.test('limit listCountMax - a page of 1,000 is given, one of 1,001 is refused', async (t) => {
  const peer = new Stage().connect().open()
  t.match(peer.request('LIST', 0, { kind: 'queues', limit: 1_000 }), { items: [] })
  t.match(peer.request('LIST', 0, { kind: 'queues', limit: 1_001 }), { name: 'requestInvalid' })
})

t.test('lists - counters tell what has happened', async (t) => {
  const stage = new Stage()
  const peer = stage.connect().open(1, { client: { product: 'app', version: '2', name: 'me' } })
  peer.request('DECLARE_QUEUE', 1, { queue: 'q' })
  peer.request('DECLARE_EXCHANGE', 1, { exchange: 'e', type: 'direct' })
  peer.publish(1, 'q', ['a', 'b', 'c', 'd'])
  peer.publish(1, { exchange: 'e' }, ['lost'])
  peer.publish(1, { exchange: 'nowhere' }, ['refused'])
  peer.request('CONSUME', 1, { consumer: 1, queue: 'q', prefetch: 3 })
  peer.settle(1, 1)
  peer.settle(1, 2, 1, 'reject')
  t.match(listAll(peer, 'queues', 10), [
    {
      queue: 'q',
      messageCount: 0,
      unsettledCount: 2,
      consumerCount: 1,
      publishedCount: 4,
      deliveredCount: 4,
      ackedCount: 1,
      rejectedCount: 1,
      delayedCount: 0,
    },
  ])
  t.match(listAll(peer, 'consumers', 10), [
    { queue: 'q', consumer: 1, unsettledCount: 2, deliveredCount: 4, settledCount: 2, prefetch: 3, ack: 'manual' },
  ])
  t.match(listAll(peer, 'channels', 10), [
    {
      connection: 1,
      channel: 1,
      publishedCount: 6,
      confirmedCount: 5,
      refusedCount: 1,
      deliveredCount: 4,
      settledCount: 2,
      unsettledCount: 2,
    },
  ])
  t.match(listAll(peer, 'exchanges', 10), [{ exchange: 'e', bindingCount: 0, publishedCount: 1, unroutableCount: 1 }])
  peer.request('CLOSE', 1, {})
  t.match(listAll(peer, 'connections', 10), [
    {
      connection: 1,
      client: { product: 'app', version: '2', name: 'me' },
      vhost: 'default',
      tls: false,
      channelCount: 0,
      publishedCount: 6,
      deliveredCount: 4,
      unsettledCount: 0,
      blocked: null,
    },
  ])
})

t.test('page - the first rows behind a cursor, as a sort of everything would give them', (t) =>
  forSeeds(t, 100, (random) => {
    const names = [...new Set(Array.from({ length: random.below(3_000) }, () => `n${random.below(10_000)}`))]
    const limit = 1 + random.below(50)
    const after = random.chance(0.3) ? undefined : `n${random.below(10_000)}`
    const page = new Page<string>(limit, after)
    for (const name of names) page.offer(name, name)
    const { things, next } = page.take()
    const sorted = names.filter((name) => after === undefined || name > after).sort((a, b) => (a < b ? -1 : 1))
    if (things.join() !== sorted.slice(0, limit).join()) throw new Error(`${things} is not the page`)
    if (next !== (sorted.length > limit ? things.at(-1) : undefined)) throw new Error(`${next} is not where it goes on`)
  }),
)
