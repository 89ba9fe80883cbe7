import t from 'tap'
import {
  type Action,
  encodeFrame,
  type Side,
  type Step,
  type Transcript,
  TranscriptError,
  TranscriptPlayer,
} from '@waybill/protocol/testing'
import { Random } from '../seeds.js'
import { readSpecJson, specFiles } from '../spec.js'

const transcripts = specFiles('transcripts/')
  .filter((file) => file.endsWith('.json'))
  .map((file) => ({ file, transcript: readSpecJson<Transcript>(`transcripts/${file}`) }))

t.test('transcripts - each one says what it is and whom it is for', async (t) => {
  const names = new Set<string>()
  for (const { file, transcript } of transcripts) {
    const { name, clause, about, against, steps } = transcript
    t.match({ name, clause, about }, { name: /./, clause: /\d/, about: /./ }, file)
    t.ok(against.length > 0 && against.every((side) => side === 'client' || side === 'server'), `${file}: against`)
    t.ok(steps.length > 1, `${file}: steps`)
    t.notOk(names.has(name), `${file}: its name is its own`)
    names.add(name)
  }
})

t.test('transcripts - each one can be played from both sides at once, cut anywhere', async (t) => {
  for (const { file, transcript } of transcripts) {
    for (let seed = 1; seed <= 5; seed++) {
      const spoken = withoutAny(transcript)
      t.equal(
        playBoth(new TranscriptPlayer(spoken, 'client'), new TranscriptPlayer(spoken, 'server'), new Random(seed)),
        'done',
        `${file}, seed ${seed}`,
      )
    }
  }
})

t.test('player - it says what to send, what to wait for, and what the program does', async (t) => {
  const transcript = conversation([
    { call: ['connect'] },
    { client: '5741 5942' },
    { server: { type: 'HEARTBEAT' } },
    { pause: 20 },
    { client: { type: 'OPEN', channel: 1, correlation: 3, json: {} } },
    { server: 'ends' },
  ])
  const client = new TranscriptPlayer(transcript, 'client')
  t.same(client.next(), { kind: 'send', bytes: Buffer.from('WAYB') })
  t.same(client.next(), { kind: 'receive' })
  client.receive(Buffer.from('0000000407000000', 'hex'))
  t.same(client.next(), { kind: 'pause', ms: 20 })
  t.same(client.next(), { kind: 'send', bytes: Buffer.from('0000000a13010001000000037b7d', 'hex') })
  t.same(client.next(), { kind: 'receive' })
  client.ended()
  t.same(client.next(), { kind: 'done' })

  const server = new TranscriptPlayer(transcript, 'server')
  t.same(server.next(), { kind: 'call', call: ['connect'] })
  t.same(server.next(), { kind: 'receive' })
  t.match(server.position, /step 2 /)
  server.receive(Buffer.from('WAYB'))
  t.match(server.next(), { kind: 'send' })
  t.match(server.next(), { kind: 'pause' })
  server.receive(Buffer.from('0000000a13010001000000637b7d', 'hex'))
  t.same(server.next(), { kind: 'end' })
  t.same(server.next(), { kind: 'done' })
})

t.test('player - a step that does not happen is named', async (t) => {
  const said: Step[] = [{ server: { type: 'RESULT', channel: 1, correlation: 3, json: { found: true } } }]
  const result = (fields: object) => encodeFrame({ type: 'RESULT', channel: 1, correlation: 3, json: { found: true }, ...fields })
  const cases: readonly (readonly [string, Buffer, RegExp])[] = [
    ['another value', result({ json: { found: false } }), /\.json\.found is false, not true/],
    ['another correlation', result({ correlation: 4 }), /\.correlation is 4, not 3/],
    ['another channel', result({ channel: 2 }), /\.channel is 2, not 1/],
    ['another type', result({ type: 'ERROR' }), /\.type is "ERROR", not "RESULT"/],
    ['a field too many', result({ json: { found: true, a: {} } }), /\.json\.a is there and was not expected/],
    ['a field too few', result({ json: {} }), /\.json\.found is undefined, not true/],
    ['bytes that are no frame', Buffer.alloc(8), /smaller than a header/],
  ]
  for (const [name, bytes, message] of cases) {
    const player = new TranscriptPlayer(conversation(said), 'client')
    player.receive(bytes)
    t.throws(() => player.next(), { name: 'TranscriptError', step: 1, message }, name)
  }
  const ended = new TranscriptPlayer(conversation(said), 'client')
  ended.ended()
  t.throws(() => ended.next(), { message: /the peer has ended instead/ })
  const more = new TranscriptPlayer(conversation([{ server: 'aa' }]), 'client')
  more.receive(Buffer.from('aabb', 'hex'))
  t.throws(() => more.next(), { message: /1 bytes are left/ })
  const wrong = new TranscriptPlayer(conversation([{ server: 'aabb' }]), 'client')
  wrong.receive(Buffer.from('ab', 'hex'))
  t.throws(() => wrong.next(), TranscriptError)
})

t.test('player - a name is whatever comes first, and the same from then on', async (t) => {
  const steps: Step[] = [
    { server: { type: 'WINDOW', channel: 1, consumer: '<a>', messageCount: '<b>', size: '<any>' } },
    { server: { type: 'WINDOW', channel: 1, consumer: '<b>', messageCount: '<a>', size: '<any>' } },
    { client: { type: 'WINDOW', channel: 1, consumer: '<a>', messageCount: '<b>', size: '<c>' } },
  ]
  const window = (a: number, b: number, c: number) =>
    Buffer.from(`0000001006000001${[a, b, c].map((n) => n.toString(16).padStart(8, '0')).join('')}`, 'hex')
  const good = new TranscriptPlayer({ ...conversation(steps), values: { c: 9, a: 77 } }, 'client')
  good.receive(Buffer.concat([window(1, 2, 3), window(2, 1, 4)]))
  t.same(good.next(), { kind: 'send', bytes: window(1, 2, 9) }, 'what came counts, not what could have been said')
  t.same(Object.fromEntries(good.bindings), { a: 1, b: 2, c: 9 })
  const bad = new TranscriptPlayer(conversation(steps), 'client')
  bad.receive(Buffer.concat([window(1, 2, 3), window(2, 3, 4)]))
  t.throws(() => bad.next(), { step: 2, message: /\.messageCount is 3, not 1/ })
  const unsaid = new TranscriptPlayer(conversation([{ client: { type: 'WINDOW', consumer: '<x>', messageCount: 0, size: 0 } }]), 'client')
  t.throws(() => unsaid.next(), { message: /no value for <x>/ })
})

t.test('player - what may come at any time is passed over, and what may not is not', async (t) => {
  const heartbeat = '0000000407000000'
  const credit = `000000140500000100000000000001000000000000010000`
  const renewal = (through: number) =>
    `0000002404000001${through.toString(16).padStart(16, '0')}000000000000010000000000000100000000000000000000`
  const expecting: Step[] = [{ server: { type: 'CANCELLED', channel: 1, json: { consumer: 1, reason: 'refused' } } }]
  const cancelled = encodeFrame({ type: 'CANCELLED', channel: 1, json: { consumer: 1, reason: 'refused' } }).toString('hex')
  const play = (hex: string) => {
    const player = new TranscriptPlayer(conversation(expecting), 'client')
    player.receive(Buffer.from(hex, 'hex'))
    return player.next().kind
  }
  t.equal(play(heartbeat + credit + renewal(0) + cancelled + credit), 'done')
  t.throws(() => play(renewal(5) + cancelled), { message: /CONFIRM/ }, 'a CONFIRM that decides something')
  t.throws(() => play(cancelled + cancelled), { message: /are left/ })
})

t.test('player - CONFIRMs and DELIVERs that could have been one are one', async (t) => {
  const run = (first: number, id: number, count: number) => ({
    firstSequence: first,
    firstMessageId: id,
    count,
    queueCount: 1,
    level: 'received',
  })
  const record = (text: string) => ({ routingKey: 'q', text })
  const expecting = conversation([
    { server: { type: 'CONFIRM', channel: 1, through: 5, runs: [run(1, 10, 3), run(5, 14, 1)], exceptions: [{ sequence: 4, code: 312 }] } },
    {
      server: {
        type: 'DELIVER',
        channel: 1,
        firstTag: 1,
        firstMessageId: 10,
        consumer: 1,
        records: [record('a'), record('b'), record('c')],
      },
    },
  ])
  const confirm = (through: number, runs: object[], exceptions: object[] = []) => ({
    server: { type: 'CONFIRM', channel: 1, through, creditSequence: 1, creditSize: 1, runs, exceptions },
  })
  const deliver = (tag: number, id: number, texts: string[]) => ({
    server: { type: 'DELIVER', channel: 1, firstTag: tag, firstMessageId: id, consumer: 1, records: texts.map(record) },
  })
  const hear = (steps: Step[]) => {
    const server = new TranscriptPlayer(conversation(steps), 'server')
    const client = new TranscriptPlayer(expecting, 'client')
    for (let action = server.next(); action.kind === 'send'; action = server.next()) client.receive(action.bytes)
    return client.next().kind
  }
  const refused = { sequence: 4, code: 312, queueCount: 0, detail: 'no' }
  t.equal(hear([confirm(5, [run(1, 10, 3), run(5, 14, 1)], [refused]), deliver(1, 10, ['a', 'b', 'c'])]), 'done', 'as it stands')
  t.equal(
    hear([
      confirm(1, [run(1, 10, 1)]),
      confirm(4, [run(2, 11, 1), run(3, 12, 1)], [refused]),
      confirm(5, [run(5, 14, 1)]),
      deliver(1, 10, ['a']),
      deliver(2, 11, ['b', 'c']),
    ]),
    'done',
    'in pieces',
  )
  t.throws(
    () => hear([confirm(1, [run(1, 10, 1)]), confirm(5, [run(2, 12, 2), run(5, 14, 1)], [refused])]),
    { message: /step 1 / },
    'a gap between message ids',
  )
  t.throws(
    () => hear([confirm(5, [run(1, 10, 3), run(5, 14, 1)], [refused]), deliver(1, 10, ['a']), deliver(3, 11, ['b', 'c'])]),
    { message: /step 2 / },
    'a gap between tags',
  )
  t.throws(
    () => hear([confirm(5, [run(1, 10, 3), run(5, 14, 1)], [refused]), deliver(1, 10, ['a', 'c', 'b'])]),
    { message: /step 2 / },
    'another order',
  )
})

t.test('player - frames in any order are each heard once', async (t) => {
  const a = { type: 'HEARTBEAT' }
  const b = { type: 'CREDIT', channel: 1, creditSequence: 1, creditSize: 2 }
  const hear = (frames: object[]) => {
    const server = new TranscriptPlayer(conversation([{ server: frames as never }]), 'server')
    const client = new TranscriptPlayer(conversation([{ server: [a, b] }]), 'client')
    const action = server.next()
    if (action.kind === 'send') client.receive(action.bytes)
    return client.next().kind
  }
  t.equal(hear([a, b]), 'done')
  t.equal(hear([b, a]), 'done')
  t.equal(hear([a, a]), 'receive', 'the second one is passed over, and one is missing')
})

function conversation(steps: readonly Step[]): Transcript {
  return { name: 'a conversation', clause: '0', about: 'for this test', against: ['server'], steps }
}

/** The transcript with something to say wherever anything would do. */
function withoutAny(transcript: Transcript): Transcript {
  const concrete = (value: unknown, key: string): unknown => {
    if (value === '<any>') return something(key)
    if (Array.isArray(value)) return value.map((each) => concrete(each, key))
    if (typeof value !== 'object' || value === null) return value
    return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, concrete(each, name)]))
  }
  const values = Object.fromEntries(names(transcript).map((name, i) => [name, `x${i}`]))
  const numbers = Object.fromEntries(
    ['id', 'second', 'third', 'a', 'b', 'c', 'consumer', 'creditSequence', 'creditSize', 'tagA', 'tagB', 'bindings'].map((name, i) => [
      name,
      1000 + i,
    ]),
  )
  const steps = transcript.steps.map((step) => {
    const said = 'server' in step ? fillAny(step.server) : undefined
    return said === undefined ? step : { server: concrete(said, 'line') as never }
  })
  return { ...transcript, values: { ...values, ...numbers, tagA: 1, tagB: 2, ...transcript.values }, steps }
}

/** Fields that mean any when they are missing. */
function fillAny(said: unknown): unknown {
  if (Array.isArray(said)) return said.map(fillAny)
  if (typeof said !== 'object' || said === null) return said
  const frame = said as { type?: string; exceptions?: object[] }
  if (frame.type !== 'CONFIRM') return said
  return { creditSequence: 300, creditSize: 300, ...frame, exceptions: (frame.exceptions ?? []).map((each) => ({ detail: 'no', ...each })) }
}

function something(key: string): unknown {
  if (key === 'line' || key === 'message' || key === 'detail') return 'words'
  if (key === 'records') return { routingKey: 'work', text: 'any' }
  return 500
}

function names(transcript: Transcript): string[] {
  return [...JSON.stringify(transcript.steps).matchAll(/"<(\w+)>"/g)]
    .map(([, name]) => name)
    .filter((name) => name !== 'any' && name !== 'maybe')
}

/** Two players talk to each other in pieces until both are done. */
function playBoth(client: TranscriptPlayer, server: TranscriptPlayer, random: Random): string {
  const players: Record<Side, TranscriptPlayer> = { client, server }
  const wires: Record<Side, Buffer> = { client: Buffer.alloc(0), server: Buffer.alloc(0) }
  const ended: Record<Side, boolean> = { client: false, server: false }
  const done: Record<Side, boolean> = { client: false, server: false }
  for (let turns = 0; turns < 200_000; turns++) {
    const side: Side = random.chance(0.5) ? 'client' : 'server'
    const other: Side = side === 'client' ? 'server' : 'client'
    if (wires[side].length > 0) {
      const size = wires[side].length > 5000 ? wires[side].length : 1 + random.below(wires[side].length)
      players[side].receive(wires[side], 0, size)
      wires[side] = wires[side].subarray(size)
    } else if (ended[other]) players[side].ended()
    if (done[side]) continue
    const action: Action = players[side].next()
    if (action.kind === 'send') wires[other] = Buffer.concat([wires[other], action.bytes])
    if (action.kind === 'end') ended[side] = true
    if (action.kind === 'done') done[side] = true
    if (done.client && done.server && wires.client.length === 0 && wires.server.length === 0) return 'done'
  }
  return `stuck: client at ${client.position}, server at ${server.position}`
}
