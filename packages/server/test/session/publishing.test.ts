import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t from 'tap'
import type { Access } from '../../dist/session/access.js'
import { rawPublish } from '../stage/records.js'
import { Stage } from '../stage/stage.js'

const MiB = 1 << 20

function openStage(limits = {}) {
  const stage = new Stage({ limits })
  const peer = stage.connect().open()
  peer.request('DECLARE_QUEUE', 1, { queue: 'q' })
  return { stage, peer }
}

/** A priority, which is defined and not built. */
const unbuilt = { mask: 1 << 8, properties: Buffer.of(3) }

t.test('publishing - good messages between bad ones are taken, each bad one is named', async (t) => {
  const { peer } = openStage()
  const records = [{}, unbuilt, {}, { exchange: 'nowhere' }, {}, { flags: 0x40 }, { format: 2 }, { key: Buffer.of(0xff) }, { mask: 1 }, {}]
  peer.send(rawPublish(1, 1, records))
  t.match(peer.heardOne(), {
    type: 'CONFIRM',
    through: 10,
    runs: [
      { firstSequence: 1, count: 1, firstMessageId: 1, queueCount: 1 },
      { firstSequence: 3, count: 1, firstMessageId: 2 },
      { firstSequence: 5, count: 1, firstMessageId: 3 },
      { firstSequence: 10, count: 1, firstMessageId: 4 },
    ],
    exceptions: [
      { sequence: 2, code: 424, detail: /priority/ },
      { sequence: 4, code: 404, detail: /nowhere/ },
      { sequence: 6, code: 423, detail: /./ },
      { sequence: 7, code: 423, detail: /./ },
      { sequence: 8, code: 423, detail: /UTF-8/ },
      { sequence: 9, code: 423, detail: /./ },
    ],
  })
  t.match(peer.request('CHECK_QUEUE', 1, { queue: 'q' }), { messageCount: 4 })
})

t.test('publishing - an atomic frame has one outcome, that of its first bad message', async (t) => {
  const { peer } = openStage()
  const confirmAtomic = 0x0a
  const mandatory = 0x04
  peer.send(rawPublish(1, 1, [{}, { exchange: 'nowhere' }, {}, unbuilt], confirmAtomic))
  const refused = peer.heardOne()
  t.match(refused, { through: 4, runs: [] })
  const exceptions = refused.exceptions as { sequence: number; code: number }[]
  t.same(
    exceptions.map(({ sequence }) => sequence),
    [1, 2, 3, 4],
  )
  t.ok(exceptions.every(({ code }) => code === exceptions[0]!.code && (code === 424 || code === 404)))
  peer.send(rawPublish(1, 5, [{}, { exchange: 'nowhere' }], confirmAtomic))
  t.match(peer.heardOne(), {
    exceptions: [
      { sequence: 5, code: 404 },
      { sequence: 6, code: 404, detail: /nowhere/ },
    ],
  })
  peer.send(rawPublish(1, 7, [{}, { key: 'nobody' }], confirmAtomic | mandatory))
  t.match(peer.heardOne(), {
    exceptions: [
      { sequence: 7, code: 312 },
      { sequence: 8, code: 312 },
    ],
  })
  peer.send(rawPublish(1, 9, [{}, { key: Buffer.of(0xc0, 0x80) }], confirmAtomic))
  t.match(peer.heardOne(), {
    runs: [],
    exceptions: [
      { sequence: 9, code: 423 },
      { sequence: 10, code: 423 },
    ],
  })
  peer.send(rawPublish(1, 11, [{}, {}], confirmAtomic))
  t.match(peer.heardOne(), { through: 12, runs: [{ firstSequence: 11, count: 2 }], exceptions: [] })
  t.match(peer.request('CHECK_QUEUE', 1, { queue: 'q' }), { messageCount: 2 })
})

t.test('publishing - without CONFIRM only exceptions are told, and credit when it is renewed', async (t) => {
  const { peer } = openStage()
  peer.publish(1, 'q', ['a'], [])
  t.same(peer.heardAll(), [])
  peer.publish(1, { exchange: 'nowhere' }, ['a'], [])
  t.match(peer.heardOne(), { type: 'CONFIRM', through: 2, runs: [], exceptions: [{ sequence: 2, code: 404 }] })
  for (let i = 0; i < 200; i++) peer.publish(1, 'q', ['a'], [])
  t.match(peer.heardAll(), [{ type: 'CREDIT' }])
})

t.test('publishing - a level that cannot be had is refused', async (t) => {
  const { peer } = openStage()
  for (const [i, [level, isGood]] of (
    [
      [1, true],
      [2, false],
      [3, false],
      [0, true],
    ] as const
  ).entries()) {
    peer.send(rawPublish(1, i + 1, [{}], 0x02 | (level << 4)))
    t.match(peer.heardOne(), isGood ? { runs: [{ level: 'received' }], exceptions: [] } : { runs: [], exceptions: [{ code: 425 }] })
  }
})

t.test('publishing - messages beyond the credit are refused one by one, whether by count or by size', async (t) => {
  const { peer } = openStage()
  peer.publish(1, 'q', new Array(300).fill('x'))
  const byCount = peer.heard()
  t.match(byCount, [{ type: 'CONFIRM', through: 300, runs: [{ firstSequence: 1, count: 256 }] }])
  const exceptions = byCount[0]!.exceptions as { sequence: number; code: number }[]
  t.equal(exceptions.length, 44)
  t.ok(exceptions.every(({ code }, i) => code === 420 && exceptions[i]!.sequence === 257 + i))

  const other = openStage().peer
  other.publish(1, 'q', ['x'.repeat(30_000 - 17)])
  other.heard()
  other.publish(1, 'q', new Array(5).fill('x'.repeat(10_000 - 17)))
  t.match(other.heardOne(), {
    through: 6,
    runs: [{ firstSequence: 2, count: 3 }],
    exceptions: [
      { sequence: 5, code: 420 },
      { sequence: 6, code: 420 },
    ],
  })
})

t.test('publishing - an atomic frame beyond the credit is refused as a whole', async (t) => {
  const { peer } = openStage()
  peer.publish(1, 'q', new Array(257).fill('x'), ['CONFIRM', 'ATOMIC'])
  const { runs, exceptions } = peer.heardOne()
  t.same(runs, [])
  t.equal((exceptions as unknown[]).length, 257)
})

t.test(
  'limit uncreditedFrameSizeMax - a PUBLISH of 65,536 is judged message by message, a larger one beyond the credit ends the connection',
  async (t) => {
    const sized = (size: number) => {
      const overhead = 4 + 16 + 17
      return { type: 'PUBLISH', channel: 1, flags: ['CONFIRM'], firstSequence: 1, records: [{ routingKey: 'q', zeros: size - overhead }] }
    }
    // So many channels that the last one gets no window.
    const { peer: poor } = openStage({ memorySize: 8 * MiB })
    for (let channel = 2; channel <= 40; channel++) poor.request('OPEN', channel, {})
    poor.say({ ...sized(65_536), channel: 40 })
    t.match(poor.heardOne(), { type: 'CONFIRM', channel: 40, exceptions: [{ code: 420 }] })
    poor.say({ ...sized(65_537), channel: 40, firstSequence: 2 })
    t.match(poor.heardOne(), { type: 'ERROR', json: { name: 'frameTooLarge' } })

    const large = openStage().peer
    large.say(sized(65_536 + 20))
    t.match(large.heardOne(), { type: 'CONFIRM', runs: [{ count: 1 }] }, 'a record as large as the credit')
    const beyond = openStage().peer
    beyond.say(sized(65_536 + 21))
    t.match(beyond.heardOne(), { type: 'ERROR', json: { name: 'frameTooLarge', scope: 'connection' } })
    t.ok(beyond.isOver)
  },
)

t.test('limit messageSizeMax - a record of that size is taken, one byte more is refused', async (t) => {
  const size = 1 * MiB
  const { peer } = openStage({ messageSizeMax: size })
  const publish = (recordSize: number, firstSequence: number) => {
    peer.say({ type: 'WINDOW', channel: 1, consumer: 0, messageCount: 0, size })
    peer.heardAll()
    peer.say({ type: 'PUBLISH', channel: 1, flags: ['CONFIRM'], firstSequence, records: [{ routingKey: 'q', zeros: recordSize - 17 }] })
  }
  publish(size, 1)
  t.match(peer.heardOne(), { runs: [{ firstSequence: 1 }] })
  publish(size, 2)
  t.match(peer.heardOne(), { runs: [{ firstSequence: 2 }] })
  peer.say({ type: 'WINDOW', channel: 1, consumer: 0, messageCount: 0, size: 4 * MiB })
  const [credit] = peer.heardAll() as unknown as { creditSize: number }[]
  t.ok(credit!.creditSize >= 3 * size)
  for (let i = 0; i < 3; i++) publish(1_000, 3 + i)
  peer.heard()
  publish(size + 1, 6)
  const [answer] = peer.heard()
  t.match(answer, { exceptions: [{ sequence: 6, code: 413, detail: /messageSizeMax/ }] })
})

t.test('publishing - a bad message counts like a good one, so that a client and a broker count the same', async (t) => {
  const { peer, stage } = openStage()
  let sequence = 1
  for (let i = 0; i < 2_000; i++) {
    peer.say({ type: 'PUBLISH', channel: 1, firstSequence: sequence++, records: [{ exchange: 'nowhere', zeros: 500 }] })
    const frame = peer.heardOne() as unknown as { exceptions: { code: number }[] }
    if (frame.exceptions[0]!.code !== 404) return t.fail(`message ${sequence} was refused with ${frame.exceptions[0]!.code}`)
  }
  stage.turn.invariants()
})

t.test('publishing - when consumers fall behind the publisher is blocked, everybody is told, and settlements go on', async (t) => {
  const stage = new Stage({ limits: { memorySize: 32 * MiB, messageSizeMax: 4 * MiB } })
  const publisher = stage.connect().open()
  const worker = stage.connect().open()
  publisher.request('DECLARE_QUEUE', 1, { queue: 'q' })
  worker.request('CONSUME', 1, { consumer: 1, queue: 'q', prefetch: 10 })
  let sequence = 1
  let creditSize = 65_536
  let sent = 0
  const recordSize = 100_017
  const told: unknown[] = []
  const wants = () => {
    if (sent + recordSize > creditSize) publisher.say({ type: 'WINDOW', channel: 1, consumer: 0, messageCount: 0, size: recordSize })
    for (const frame of publisher.heardAll()) {
      if (frame.type === 'CREDIT' || frame.type === 'CONFIRM') creditSize = frame.creditSize as number
      if (frame.type === 'STATUS') told.push(frame.json)
    }
    if (sent + recordSize > creditSize) return false
    publisher.say({ type: 'PUBLISH', channel: 1, firstSequence: sequence++, records: [{ routingKey: 'q', zeros: 100_000 }] })
    sent += recordSize
    return true
  }
  while (wants());
  t.ok(stage.turn.credit.blocked)
  t.ok(stage.turn.broker.usedSize <= 32 * MiB)
  t.match(
    worker.heard().filter(({ type }) => type === 'STATUS'),
    [{ json: { state: 'blocked', reason: 'memory' } }],
  )
  t.match(stage.connect().hello(), { blocked: 'memory' }, 'who comes now is told too')
  t.match(publisher.request('CHECK_QUEUE', 1, { queue: 'q' }), { unsettledCount: 10 })
  t.match(stage.logged('publishers-blocked').length, 1)

  // The worker publishes what it made of a message before it settles it.
  worker.publish(1, 'q', ['result'.repeat(1_000)])
  t.match(worker.heardOne(), { type: 'CONFIRM', through: 1, runs: [{ count: 1 }], exceptions: [] })
  let settled = 0
  while (stage.turn.credit.blocked && settled < 400) {
    worker.settle(1, ++settled)
    worker.heard()
  }
  t.notOk(stage.turn.credit.blocked)
  t.ok(wants(), 'and the publisher goes on')
  t.same(told, [{ state: 'blocked', reason: 'memory' }, { state: 'unblocked' }])
  t.match(stage.logged('publishers-unblocked').length, 1)
  stage.turn.invariants()
})

t.test('publishing - a fan-out that costs more than its bytes is stopped when memory is used up, and nothing breaks', async (t) => {
  const stage = new Stage({ limits: { memorySize: 16 * MiB, messageSizeMax: MiB } })
  const peer = stage.connect().open()
  peer.request('DECLARE_EXCHANGE', 1, { exchange: 'all', type: 'fanout' })
  for (let i = 0; i < 100; i++) {
    peer.request('DECLARE_QUEUE', 1, { queue: `q${i}` })
    peer.request('BIND_QUEUE', 1, { queue: `q${i}`, exchange: 'all' })
  }
  let refused = 0
  for (let turn = 0; turn < 300; turn++) {
    peer.publish(1, { exchange: 'all' }, new Array(100).fill('x'))
    for (const frame of peer.heard()) {
      if (frame.type === 'CONFIRM') refused += (frame.exceptions as { code: number }[]).filter(({ code }) => code === 506).length
    }
  }
  t.ok(refused > 0, 'resourceExhausted')
  t.ok(stage.turn.broker.usedSize < 18 * MiB, `${stage.turn.broker.usedSize} bytes`)
  for (let i = 0; i < 100; i++) peer.request('PURGE_QUEUE', 1, { queue: `q${i}` })
  peer.publish(1, { exchange: 'all' }, ['again'])
  t.match(peer.heard().at(-1), { type: 'CONFIRM', exceptions: [] })
  stage.turn.invariants()
})

t.test('publishing - who may write to an exchange, or to the queue of the default exchange, is asked for every route', async (t) => {
  const asked: string[] = []
  const access: Access = {
    user: 'ada',
    monitorRefusal: () => undefined,
    refusal(verb, kind, name) {
      if (verb === 'write') asked.push(`${kind} ${name}`)
      return verb !== 'write' || name === 'q' ? undefined : `no writing to ${kind} '${name}'`
    },
  }
  const stage = new Stage({ authenticator: { check: (_, done) => done(access) } })
  const peer = stage.connect().open()
  peer.request('DECLARE_QUEUE', 1, { queue: 'q' })
  peer.request('DECLARE_QUEUE', 1, { queue: 'other' })
  peer.request('DECLARE_EXCHANGE', 1, { exchange: 'e', type: 'fanout' })
  peer.say({
    type: 'PUBLISH',
    channel: 1,
    flags: ['CONFIRM'],
    firstSequence: 1,
    records: [
      { routingKey: 'q' },
      { routingKey: 'other' },
      { exchange: 'e' },
      { exchange: 'missing' },
      { routingKey: 'q' },
      { routingKey: 'other' },
    ],
  })
  const { runs, exceptions } = peer.heardOne()
  t.match(runs, [{ firstSequence: 1 }, { firstSequence: 5 }])
  t.match(exceptions, [
    { sequence: 2, code: 403, detail: "no writing to queue 'other'" },
    { sequence: 3, code: 403, detail: "no writing to exchange 'e'" },
    { sequence: 4, code: 403, detail: "no writing to exchange 'missing'" },
    { sequence: 6, code: 403 },
  ])
  t.match(peer.request('CHECK_QUEUE', 1, { queue: 'other' }), { messageCount: 0 })
  t.ok(asked.length >= 4)
})

t.test('publishing - queues that are not there share a route, but not who may write to them', async (t) => {
  const access: Access = {
    user: 'ada',
    monitorRefusal: () => undefined,
    refusal: (_verb, _kind, name) => (name.startsWith('hers.') ? undefined : `no writing to '${name}'`),
  }
  const stage = new Stage({ authenticator: { check: (_, done) => done(access) } })
  const peer = stage.connect().open()
  const records = ['hers.1', 'his.1', 'his.2', 'hers.2'].map((routingKey) => ({ routingKey }))
  peer.say({ type: 'PUBLISH', channel: 1, flags: ['CONFIRM', 'MANDATORY'], firstSequence: 1, records })
  t.match(peer.heardOne(), {
    exceptions: [
      { sequence: 1, code: 312, detail: /no queue 'hers.1'/ },
      { sequence: 2, code: 403, detail: /his.1/ },
      { sequence: 3, code: 403, detail: /his.2/ },
      { sequence: 4, code: 312, detail: /no queue 'hers.2'/ },
    ],
  })
})

t.test('publishing - a queue that is deleted is not held by the channels that have published to it', async (t) => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const stage = new Stage({})
  const peer = stage.connect().open()
  peer.request('DECLARE_EXCHANGE', 1, { exchange: 'e', type: 'fanout' })
  const queues = ['a', 'b'].map((queue) => {
    peer.request('DECLARE_QUEUE', 1, { queue })
    peer.request('BIND_QUEUE', 1, { queue, exchange: 'e' })
    return new WeakRef(stage.turn.broker.virtualHosts.get('default')!.queues.get(queue)!)
  })
  const records = Array.from({ length: 100 }, (_, i) => ({ exchange: 'e', routingKey: `${i % 50}` }))
  peer.say({ type: 'PUBLISH', channel: 1, flags: ['CONFIRM'], firstSequence: 1, records })
  peer.heardAll()
  for (const queue of ['a', 'b']) peer.request('DELETE_QUEUE', 1, { queue })
  await new Promise((resolve) => setImmediate(resolve))
  collect()
  t.same(
    queues.map((queue) => queue.deref()?.name),
    [undefined, undefined],
  )
})
