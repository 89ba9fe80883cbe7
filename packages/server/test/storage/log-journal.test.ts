import t from 'tap'
import type { Queue } from '../../dist/broker/queues/queue.js'
import type { Route } from '../../dist/broker/routing/route.js'
import { Slabs } from '../../dist/broker/store/slabs.js'
import { IdIndex } from '../../dist/storage/id-index.js'
import { idReserve, LogJournal } from '../../dist/storage/log-journal.js'
import { RecordingLog } from './recording-log.js'
import { said } from './words.js'

function journalWith(): { journal: LogJournal; log: RecordingLog; slabs: Slabs; store: (text: string) => number } {
  const log = new RecordingLog()
  const slabs = new Slabs()
  const journal = new LogJournal({ log, slabs, nextMessageId: () => 1, index: new IdIndex() })
  // The first write reserves ids: said once, and of no interest here.
  journal.write()
  log.appended.length = 0
  log.sync()
  journal.progressed()
  const store = (text: string): number => {
    slabs.append(Buffer.from(text), 0, text.length)
    slabs.retain(slabs.slab, text.length)
    return slabs.offset
  }
  return { journal, log, slabs, store }
}

function routeTo(...keptIds: number[]): Route {
  const kept = keptIds.map((keptId) => ({ keptId }) as Queue)
  return { queues: kept, kept, exchange: undefined, refusal: 0, detail: '', dynamic: false }
}

t.test('journal - ids are reserved before the first message has one', async (t) => {
  const log = new RecordingLog()
  new LogJournal({ log, slabs: new Slabs(), nextMessageId: () => 1, index: new IdIndex() }).write()
  t.strictSame(said(log), [`sync: ids ${1 + idReserve}`])
})

t.test('journal - a turn is one block: names, messages, and what is gone, in this order', async (t) => {
  const { journal, log, slabs, store } = journalWith()
  const one = routeTo(1)
  const both = routeTo(1, 2)
  const offsets = ['aaa', 'bb', 'c', 'dd'].map(store)
  journal.gone(1, 5, 1, 90, 90, 10)
  journal.messages(one, slabs.slab, offsets[0]!, 3, 100, 1)
  journal.messages(one, slabs.slab, offsets[1]!, 2, 101, 1)
  journal.messages(both, slabs.slab, offsets[2]!, 1, 102, 1)
  journal.messages(one, slabs.slab, offsets[3]!, 2, 103, 1)
  const name = { op: 'queue', vhost: 'default', id: 2, name: 'q', autoDelete: false } as const
  journal.changed(name)
  journal.gone(1, 6, 2, 91, 95, 20)
  journal.gone(2, 6, 1, 91, 91, 10)
  journal.gone(1, 9, 1, 99, 99, 10)
  journal.write()
  t.strictSame(said(log), [
    `sync: ${JSON.stringify(name)}, route 1, run 100x2 by 0 aaabb, route 1+2, run 102x1 by 1 c, run 103x1 by 0 dd, gone 1: 90-95 x3 30, gone 2: 91-91 x1 10, gone 1: 99-99 x1 10`,
  ])
  journal.write()
  t.equal(log.appended.length, 1, 'a turn that says nothing writes nothing')
})

t.test('journal - messages that are said together are the run that they would be one by one', async (t) => {
  const { journal, log, slabs, store } = journalWith()
  const route = routeTo(1)
  const offsets = ['aa', 'bbb', 'c', 'd', 'ee'].map(store)
  journal.messages(route, slabs.slab, offsets[0]!, 5, 100, 2)
  journal.messages(route, slabs.slab, offsets[2]!, 1, 102, 1)
  journal.messages(route, slabs.slab, offsets[3]!, 3, 104, 2)
  journal.write()
  t.strictSame(said(log), ['sync: route 1, run 100x3 by 0 aabbbc, run 104x2 by 0 dee'])
})

t.test('journal - what only ends messages may wait for the next sync, unless somebody waits for it', async (t) => {
  const { journal, log } = journalWith()
  t.equal(journal.gate, 0, 'all is synced')
  journal.gone(1, 5, 1, 90, 90, 10)
  journal.write()
  journal.gone(1, 6, 1, 91, 91, 10)
  const gate = journal.gate
  journal.write()
  t.strictSame(said(log), ['lazy: gone 1: 90-90 x1 10', 'sync: gone 1: 91-91 x1 10'])
  t.notOk(journal.progressed())
  t.ok(journal.synced < gate)
  log.sync()
  t.ok(journal.progressed())
  t.ok(journal.synced >= gate)
  t.equal(journal.gate, 0)
})

t.test('journal - a batch is synced when its last block is, and not before', async (t) => {
  const { journal, log, slabs, store } = journalWith()
  const gates: number[] = []
  for (const text of ['a', 'b', 'c']) {
    const offset = store(text)
    journal.messages(routeTo(1), slabs.slab, offset, 1, 100 + gates.length, 1)
    gates.push(journal.batch)
    journal.write()
    if (text === 'b') log.sync()
  }
  t.ok(journal.progressed())
  t.equal(journal.synced, gates[1])
  t.ok(journal.unsyncedSize > 0)
  log.sync()
  t.ok(journal.progressed())
  t.equal(journal.synced, gates[2])
  t.equal(journal.unsyncedSize, 0)
})

t.test('journal - a slab that a turn writes from stays as it is until it has been written', async (t) => {
  const { journal, slabs, store } = journalWith()
  const size = 300 * 1024
  const offset = store('x'.repeat(size))
  const { slab } = slabs
  journal.messages(routeTo(1), slab, offset, size, 100, 1)
  slabs.release(slab, size)
  t.ok(slabs.buffer(slab), 'the message is gone, its bytes are not')
  journal.write()
  t.notOk(slabs.buffer(slab))
})

t.test('journal - long turns are several blocks, but what belongs together is in one', async (t) => {
  const { journal, log, slabs, store } = journalWith()
  const size = 100 * 1024
  const say = (id: number): void => {
    const offset = store('x'.repeat(size))
    journal.messages(routeTo(id), slabs.slab, offset, size, 100 + id, 1)
  }
  for (let id = 1; id <= 6; id++) say(id)
  journal.write()
  t.equal(log.appended.length, 2)
  t.strictSame(
    log.appended.map(({ need }) => need),
    ['lazy', 'sync'],
    'the sync is asked for when all of the turn is there',
  )
  log.appended.length = 0
  journal.together(true)
  for (let id = 11; id <= 16; id++) say(id)
  journal.together(false)
  journal.write()
  t.equal(log.appended.length, 1)
})
