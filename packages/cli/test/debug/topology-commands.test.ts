import t from 'tap'
import { PlayedBroker } from './played-broker.js'

t.test('commands - topology: what is typed is what is asked for', async (t) => {
  const requests: [line: string, sent: string, result: object][] = [
    ['declare exchange orders topic', 'DECLARE_EXCHANGE ch 1 #2 {"exchange":"orders","type":"topic"}', { created: true }],
    [
      'declare exchange orders headers durable=false autoDelete internal alternate=lost',
      'DECLARE_EXCHANGE ch 1 #2 {"exchange":"orders","type":"headers","durable":false,"autoDelete":true,"internal":true,"alternate":"lost"}',
      { created: true },
    ],
    ['declare queue emails expiresMs=60000', 'DECLARE_QUEUE ch 1 #2 {"queue":"emails","expiresMs":60000}', { queue: 'emails' }],
    ['declare queue exclusive', 'DECLARE_QUEUE ch 1 #2 {"exclusive":true}', { queue: 'wb.1' }],
    [
      'bind emails orders order.#',
      'BIND_QUEUE ch 1 #2 {"queue":"emails","exchange":"orders","key":"order.#"}',
      { created: true, bindingCount: 1 },
    ],
    [
      'bind fraud orders match=any header.country=XX header.cents=9007199254740993',
      'BIND_QUEUE ch 1 #2 {"queue":"fraud","exchange":"orders","match":"any","headers":{"country":"XX","cents":{"i64":"9007199254740993"}}}',
      { created: true, bindingCount: 1 },
    ],
    [
      'unbind emails orders order.#',
      'UNBIND_QUEUE ch 1 #2 {"queue":"emails","exchange":"orders","key":"order.#"}',
      { removed: true, bindingCount: 0 },
    ],
    [
      'bind exchange audit orders #',
      'BIND_EXCHANGE ch 1 #2 {"source":"orders","target":"audit","key":"#"}',
      { created: true, bindingCount: 1 },
    ],
    ['unbind exchange audit orders', 'UNBIND_EXCHANGE ch 1 #2 {"source":"orders","target":"audit"}', { removed: true, bindingCount: 0 }],
    [
      'delete queue emails ifUnused ifEmpty',
      'DELETE_QUEUE ch 1 #2 {"queue":"emails","ifUnused":true,"ifEmpty":true}',
      { deleted: true, messageCount: 0 },
    ],
    ['delete exchange orders ifUnused', 'DELETE_EXCHANGE ch 1 #2 {"exchange":"orders","ifUnused":true}', { deleted: true }],
    ['purge emails', 'PURGE_QUEUE ch 1 #2 {"queue":"emails"}', { messageCount: 0 }],
    ['check queue emails', 'CHECK_QUEUE ch 1 #2 {"queue":"emails"}', { queue: 'emails' }],
    ['check exchange orders', 'CHECK_EXCHANGE ch 1 #2 {"exchange":"orders"}', { exchange: 'orders' }],
  ]
  for (const [line, sent, result] of requests) {
    const broker = new PlayedBroker().type(line)
    t.same(broker.seen(), [`→ ${sent}`])
    t.equal(broker.isWaitingFor, 'an answer', line)
    broker.result(result)
    t.equal(broker.isWaitingFor, undefined, `${line} is done with its answer`)
  }
})

t.test('commands - an error of the broker is the failure of the command, and the next one is carried out', async (t) => {
  const broker = new PlayedBroker().type('declare queue emails durable=false')
  const details = { differences: [{ option: 'durable', wanted: false, actual: true }] }
  t.throws(() => broker.error({ code: 406, name: 'preconditionFailed', message: "queue 'emails' is there with other options", details }), {
    name: 'CommandFailure',
    reason: 'preconditionFailed',
    code: 406,
    message: `queue 'emails' is there with other options ${JSON.stringify(details)}`,
  })
  t.notOk(broker.talk.names.queue.has('emails'))
  broker.type('purge emails').result({ messageCount: 0 })
  t.match(broker.seen().at(-1), 'PURGE_QUEUE ch 1 #3')
})

t.test('commands - lists are tables, and teach the names that Tab completes', async (t) => {
  const broker = new PlayedBroker().type('list queues limit=2 prefix=e')
  t.same(broker.seen(), ['→ LIST #2 {"kind":"queues","limit":2,"prefix":"e"}'])
  broker.result(
    {
      items: [
        { queue: 'emails', messageCount: 1 },
        { queue: 'errors', messageCount: 0 },
      ],
      next: 'err',
    },
    0,
  )
  t.same(broker.seen(), ['queue   messageCount', 'emails             1', 'errors             0', 'there are more: list queues after="err"'])
  t.same([...broker.talk.names.queue], ['emails', 'errors'])

  broker.type('list exchanges').result({ items: [{ exchange: 'orders' }, { exchange: '' }] }, 0)
  t.same([...broker.talk.names.exchange], ['orders'])
  broker.seen()
  broker.type('list bindings').result({ items: [] }, 0)
  t.same(broker.seen().at(-1), 'no bindings')
})

t.test('commands - names are known once they are declared, and forgotten once they are deleted', async (t) => {
  const broker = new PlayedBroker()
  broker.type('declare queue emails').result({ queue: 'emails' })
  broker.type('declare exchange orders topic').result({ created: true })
  broker.type('declare queue').result({ queue: 'wb.made' })
  t.same([...broker.talk.names.queue], ['emails', 'wb.made'])
  broker.type('delete queue emails').result({ deleted: true, messageCount: 0 })
  broker.type('delete exchange orders').result({ deleted: true })
  t.same([...broker.talk.names.queue], ['wb.made'])
  t.same([...broker.talk.names.exchange], [])
})
