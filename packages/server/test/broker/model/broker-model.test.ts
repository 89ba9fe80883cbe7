import type { Headers } from '@waybill/protocol'
import assert from 'node:assert'
import t from 'tap'
import { forSeeds, type Random } from '../../seeds.js'
import { PagedRecorder } from '../../storage/paged-recorder.js'
import { SideBySide } from './side-by-side.js'

type Channel = ReturnType<SideBySide['open']>
type Command = (both: SideBySide, channel: Channel, random: Random) => void

/** A name that objects have a meaning for. */
const awkward = '__proto__'
const queues = ['mails', 'images', awkward, 'q4'] as const
const exchanges = ['direct', 'fanout', 'topic', 'headers', 'topic 2', 'constructor'] as const
const types = ['direct', 'fanout', 'topic', 'headers', 'topic', 'fanout'] as const
const keys = ['', 'a', 'a.b', 'b', 'a.a.b', 'a..b', 'mails'] as const
const patterns = ['#', '*', 'a.#', '#.b', '#.a.#.a.#', '*.b', ...keys] as const

const commands: Readonly<Record<string, readonly [weight: number, command: Command]>> = {
  publish: [
    30,
    (both, _channel, random) => {
      const exchange = random.chance(0.3) ? '' : random.pick(exchanges)
      const key = exchange === '' ? random.pick(queues) : random.pick(keys)
      const headers = random.chance(0.5) ? headersOf(random) : undefined
      const isPersistent = random.chance(0.9)
      for (let i = random.below(6); i >= 0; i--) {
        both.publish(exchange, key, random.below(random.chance(0.1) ? 3_000 : 40), headers, isPersistent)
      }
    },
  ],
  turn: [20, (both, _channel, random) => both.turn(random.pick([0, 0, 1, 30, 999, 1_000, 5_000, 100_000]))],
  settle: [
    20,
    (both, channel, random) => {
      const first = random.below(channel.held.length + 2)
      const outcome = random.pick(['ack', 'ack', 'ack', 'requeue', 'retry', 'reject'] as const)
      both.settle(channel, first, 1 + random.below(5), outcome, outcome === 'retry' && random.chance(0.6) ? random.below(2_000) : undefined)
    },
  ],
  consume: [
    6,
    (both, channel, random) => {
      both.consume(channel, random.pick(queues), {
        ack: random.chance(0.2) ? 'none' : 'manual',
        prefetch: random.below(12),
        prefetchSize: random.pick([0, 50, 500, 1 << 20]),
        exclusive: random.chance(0.1),
        priority: random.below(3) - 1,
      })
    },
  ],
  cancel: [4, (both, channel, random) => withConsumer(channel, random, (consumer) => both.cancel(channel, consumer))],
  window: [
    4,
    (both, channel, random) =>
      withConsumer(channel, random, (consumer) => both.window(channel, consumer, random.below(20), random.pick([0, 100, 1 << 20]))),
  ],
  get: [
    4,
    (both, channel, random) =>
      both.get(channel, random.pick(queues), random.chance(0.3) ? 'none' : 'manual', random.pick([0, 0, 1, 2_000])),
  ],
  'declare queue': [
    6,
    (both, channel, random) => {
      const name = random.pick(queues)
      const options = { durable: name !== 'images', autoDelete: name === 'images' || random.chance(0.05), exclusive: random.chance(0.1) }
      both.declareQueue(channel, name, { ...options, expiresMs: name === 'q4' ? 3_000 : undefined })
    },
  ],
  'check queue': [2, (both, channel, random) => both.checkQueue(channel, random.pick(queues))],
  'delete queue': [
    1,
    (both, channel, random) =>
      both.deleteQueue(channel, random.pick(queues), { ifUnused: random.chance(0.5), ifEmpty: random.chance(0.5) }),
  ],
  'purge queue': [1, (both, channel, random) => both.purgeQueue(channel, random.pick(queues))],
  'declare exchange': [
    5,
    (both, channel, random) => {
      const i = random.below(exchanges.length)
      const alternate = random.chance(0.3) ? random.pick(exchanges) : undefined
      both.declareExchange(channel, exchanges[i]!, {
        type: types[i]!,
        durable: true,
        autoDelete: random.chance(0.2),
        internal: random.chance(0.1),
        alternate,
      })
    },
  ],
  'delete exchange': [1, (both, channel, random) => both.deleteExchange(channel, random.pick(exchanges), random.chance(0.5))],
  'bind queue': [8, (both, channel, random) => bind(both, channel, random, { queue: random.pick(queues) }, random.chance(0.2))],
  'bind exchange': [4, (both, channel, random) => bind(both, channel, random, { exchange: random.pick(exchanges) }, random.chance(0.3))],
  open: [
    2,
    (both, _channel, random) =>
      void (both.channels.length < 6 && both.open(random.chance(0.5) ? random.pick(both.channels).connection : undefined)),
  ],
  close: [1, (both, channel) => void (both.channels.length > 1 && both.close(channel))],
  disconnect: [
    0.5,
    (both, channel) => {
      both.disconnect(channel.connection)
      if (both.channels.length === 0) both.open()
    },
  ],
}

const weights = Object.entries(commands).map(([name, [weight]]) => ({ name, weight }))
const weightSum = weights.reduce((sum, { weight }) => sum + weight, 0)

/** What becomes of a queue's messages when memory is short. */
const chill: Command = (both, _channel, random) => {
  const { real } = both
  assert(real instanceof PagedRecorder)
  chilledCount += real.chill(random.pick(queues))
}
let chilledCount = 0

t.test('broker model - messages that leave memory and come back make no difference', async (t) => {
  await forSeeds(t, 100, (random) => {
    const both = new SideBySide(new PagedRecorder())
    both.open()
    for (let i = 0; i < 300; i++) {
      const command = random.chance(0.3) ? chill : commands[pick(random)]![1]
      command(both, random.pick(both.channels), random)
      both.compare()
    }
    both.turn(0)
  })
  if (process.env.WAYBILL_SEED === undefined) t.ok(chilledCount > 300, `${chilledCount} pages left memory`)
})

t.test('broker model - random commands give what a broker of arrays gives, and both hold together after each', async (t) => {
  const given = new Map<string, number>()
  await forSeeds(t, 300, (random) => {
    const both = new SideBySide()
    both.open()
    for (let i = 0; i < 250; i++) {
      const name = pick(random)
      given.set(name, (given.get(name) ?? 0) + 1)
      commands[name]![1](both, random.pick(both.channels), random)
      both.compare()
    }
    both.turn(0)
  })
  if (process.env.WAYBILL_SEED === undefined) t.same([...given.keys()].sort(), Object.keys(commands).sort(), 'every command was given')
})

function pick(random: Random): string {
  let left = random.next() * weightSum
  for (const { name, weight } of weights) {
    left -= weight
    if (left < 0) return name
  }
  return 'turn'
}

function withConsumer(channel: Channel, random: Random, run: (consumer: Channel['consumers'][number]) => void): void {
  if (channel.consumers.length > 0) run(random.pick(channel.consumers))
}

function bind(both: SideBySide, channel: Channel, random: Random, target: { queue: string } | { exchange: string }, undo: boolean): void {
  const source = random.pick(exchanges)
  const isHeaders = source === 'headers' || random.chance(0.03)
  const headers = isHeaders ? { headers: headersOf(random), match: random.pick(['all', 'any'] as const) } : {}
  both.bind(channel, source, target, { key: random.pick(patterns), ...headers }, undo)
}

function headersOf(random: Random): Headers {
  const headers: Record<string, Headers[string]> = Object.create(null)
  if (random.chance(0.5)) headers.amount = random.pick([1, 1n, 2.5, 2n ** 60n, Number.NaN])
  if (random.chance(0.5)) headers.country = random.pick(['eu', 'us', Buffer.from('eu')])
  if (random.chance(0.5)) headers[awkward] = random.pick([true, null])
  return headers
}
