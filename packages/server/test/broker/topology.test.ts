import t from 'tap'
import { Refusal } from '../../dist/broker/refusal.js'
import * as topology from '../../dist/broker/topology.js'
import { BrokerRecorder } from './recorder.js'

const plain = { durable: true, autoDelete: false, internal: false, alternate: undefined }
const queueOptions = { durable: true, exclusive: false, autoDelete: false, expiresMs: undefined }

function declare(recorder: BrokerRecorder, name: string, type: 'direct' | 'fanout' | 'topic' | 'headers', options: object = {}): unknown {
  return topology.declareExchange(recorder.broker, recorder.asker, name, { type, ...plain, ...options })
}

function bindQueue(recorder: BrokerRecorder, source: string, queue: string, key = ''): unknown {
  return topology.bind(recorder.broker, recorder.asker, { source, target: { queue }, key, headers: undefined, match: undefined })
}

function bindExchange(recorder: BrokerRecorder, source: string, exchange: string, key = ''): unknown {
  return topology.bind(recorder.broker, recorder.asker, { source, target: { exchange }, key, headers: undefined, match: undefined })
}

function refusal(answer: unknown): string {
  return answer instanceof Refusal ? answer.name : `answered ${JSON.stringify(answer)}`
}

t.test('topology - declaring twice with the same options is declaring once', async (t) => {
  const recorder = new BrokerRecorder()
  t.same(declare(recorder, 'x', 'topic'), { created: true })
  t.same(declare(recorder, 'x', 'topic'), { created: false })
  t.match(topology.declareQueue(recorder.broker, recorder.asker, 'q', queueOptions), { queue: 'q', created: true, durable: false })
  t.match(topology.declareQueue(recorder.broker, recorder.asker, 'q', queueOptions), { created: false, messageCount: 0 })
})

t.test('topology - a different declare is refused with every difference, and changes nothing', async (t) => {
  const recorder = new BrokerRecorder()
  declare(recorder, 'x', 'topic')
  const answer = declare(recorder, 'x', 'fanout', { autoDelete: true })
  t.equal(refusal(answer), 'preconditionFailed')
  t.same((answer as Refusal).details, {
    differences: [
      { option: 'type', wanted: 'fanout', actual: 'topic' },
      { option: 'autoDelete', wanted: true, actual: false },
    ],
  })
  t.match(
    topology.checkExchange(recorder.broker, recorder.asker, 'x'),
    { type: 'topic', autoDelete: false, durable: false },
    'durable is what is so, not what was asked',
  )
  topology.declareQueue(recorder.broker, recorder.asker, 'q', queueOptions)
  const queue = topology.declareQueue(recorder.broker, recorder.asker, 'q', { ...queueOptions, expiresMs: 5_000 })
  t.same((queue as Refusal).details, { differences: [{ option: 'expiresMs', wanted: 5_000, actual: null }] })
})

t.test('topology - a queue without a name gets one', async (t) => {
  const recorder = new BrokerRecorder()
  const answer = topology.declareQueue(recorder.broker, recorder.asker, '', { ...queueOptions, durable: false })
  t.match(answer, { queue: /^wb\.n{20}$/, created: true })
})

t.test('topology - bindings are counted, the same one twice is one', async (t) => {
  const recorder = new BrokerRecorder()
  declare(recorder, 'x', 'topic')
  recorder.queue('q')
  t.same(bindQueue(recorder, 'x', 'q', 'a.*'), { created: true, bindingCount: 1 })
  t.same(bindQueue(recorder, 'x', 'q', 'a.*'), { created: false, bindingCount: 1 })
  t.same(bindQueue(recorder, 'x', 'q', 'b.#'), { created: true, bindingCount: 2 })
  const request = { source: 'x', target: { queue: 'q' }, key: 'a.*', headers: undefined, match: undefined }
  t.same(topology.unbind(recorder.broker, recorder.asker, request), { removed: true, bindingCount: 1 })
  t.same(topology.unbind(recorder.broker, recorder.asker, request), { removed: false, bindingCount: 1 })
})

t.test('topology - what is missing is named, with the fix', async (t) => {
  const recorder = new BrokerRecorder()
  recorder.queue('q')
  const answer = bindQueue(recorder, 'nowhere', 'q')
  t.equal(refusal(answer), 'notFound')
  t.match((answer as Refusal).message, /no exchange 'nowhere'.*declare it first/)
  t.equal(refusal(bindQueue(recorder, '', 'q')), 'forbidden')
  t.equal(refusal(topology.checkQueue(recorder.broker, recorder.asker, 'r')), 'notFound')
})

t.test('topology - headers and match belong to headers exchanges', async (t) => {
  const recorder = new BrokerRecorder()
  declare(recorder, 'x', 'topic')
  recorder.queue('q')
  const request = { source: 'x', target: { queue: 'q' }, key: '', headers: { a: 1 }, match: undefined }
  t.equal(refusal(topology.bind(recorder.broker, recorder.asker, request)), 'requestInvalid')
})

t.test('topology - each queue gets a message once, over exchanges bound in a cycle too', async (t) => {
  const recorder = new BrokerRecorder()
  declare(recorder, 'a', 'fanout')
  declare(recorder, 'b', 'fanout')
  recorder.queue('q')
  bindExchange(recorder, 'a', 'b')
  bindExchange(recorder, 'b', 'a')
  bindQueue(recorder, 'a', 'q')
  bindQueue(recorder, 'b', 'q')
  t.equal(recorder.publish('a', 'k', 'once'), 1)
  t.equal(recorder.host.queue('q')!.readyCount, 1)
})

t.test('topology - what an exchange has no binding for goes to its alternate', async (t) => {
  const recorder = new BrokerRecorder()
  declare(recorder, 'rest', 'fanout')
  declare(recorder, 'orders', 'direct', { alternate: 'rest' })
  recorder.queue('eu')
  recorder.queue('others')
  bindQueue(recorder, 'orders', 'eu', 'eu')
  bindQueue(recorder, 'rest', 'others')
  recorder.publish('orders', 'eu', '1')
  recorder.publish('orders', 'us', '2')
  t.equal(recorder.host.queue('eu')!.readyCount, 1)
  t.equal(recorder.host.queue('others')!.readyCount, 1)
})

t.test('topology - a change of bindings is seen by the next message', async (t) => {
  const recorder = new BrokerRecorder()
  declare(recorder, 'x', 'direct')
  recorder.queue('q')
  t.equal(recorder.publish('x', 'k', '1'), 0)
  bindQueue(recorder, 'x', 'q', 'k')
  t.equal(recorder.publish('x', 'k', '2'), 1)
  topology.deleteQueue(recorder.broker, recorder.asker, 'q', { ifUnused: false, ifEmpty: false })
  t.equal(recorder.publish('x', 'k', '3'), 0)
})

t.test('topology - auto-delete exchanges go with their last binding, one after another', async (t) => {
  const recorder = new BrokerRecorder()
  declare(recorder, 'first', 'fanout', { autoDelete: true })
  declare(recorder, 'second', 'fanout', { autoDelete: true })
  recorder.queue('q')
  bindExchange(recorder, 'first', 'second')
  bindQueue(recorder, 'second', 'q')
  topology.deleteQueue(recorder.broker, recorder.asker, 'q', { ifUnused: false, ifEmpty: false })
  t.same([...recorder.host.exchanges.keys()], [])
  t.equal(recorder.broker.bindingCount, 0)
})

t.test('topology - conditions of delete are kept', async (t) => {
  const recorder = new BrokerRecorder()
  declare(recorder, 'x', 'fanout')
  recorder.queue('q')
  bindQueue(recorder, 'x', 'q')
  recorder.publish('', 'q', 'here')
  t.equal(refusal(topology.deleteExchange(recorder.asker, 'x', true)), 'preconditionFailed')
  t.equal(refusal(topology.deleteQueue(recorder.broker, recorder.asker, 'q', { ifUnused: false, ifEmpty: true })), 'preconditionFailed')
  recorder.consume('q')
  t.equal(refusal(topology.deleteQueue(recorder.broker, recorder.asker, 'q', { ifUnused: true, ifEmpty: false })), 'preconditionFailed')
  t.same(topology.deleteQueue(recorder.broker, recorder.asker, 'q', { ifUnused: false, ifEmpty: false }), {
    deleted: true,
    messageCount: 1,
  })
  t.same(topology.deleteQueue(recorder.broker, recorder.asker, 'q', { ifUnused: false, ifEmpty: false }), {
    deleted: false,
    messageCount: 0,
  })
  t.same(topology.deleteExchange(recorder.asker, 'x', true), { deleted: true })
})

t.test('topology - limits are refused at limit + 1 by name', async (t) => {
  const recorder = new BrokerRecorder()
  for (let i = 0; i < 1_000; i++) topology.declareQueue(recorder.broker, recorder.asker, `q${i}`, queueOptions)
  const answer = topology.declareQueue(recorder.broker, recorder.asker, 'one more', queueOptions)
  t.equal(refusal(answer), 'limitExceeded')
  t.same((answer as Refusal).details, { limit: 'queueCountMax' })
})

t.test('topology - virtual hosts do not know each other', async (t) => {
  const recorder = new BrokerRecorder()
  recorder.queue('q')
  const other = { host: recorder.broker.virtualHosts.get('other')!, connection: 7 }
  t.equal(refusal(topology.checkQueue(recorder.broker, other, 'q')), 'notFound')
})
