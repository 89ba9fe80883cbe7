/** Peers that never get in: other protocols, other versions, wrong passwords, and those who say nothing. */
import { encodeControl, FrameType, preface } from '@waybill/protocol'
import { fairWeather, randomWeather } from '../network/network.js'
import type { Random } from '../random.js'
import type { World } from './world.js'

const hello = (extra: object = {}): Buffer =>
  encodeControl(FrameType.hello, 0, 1, { client: { product: 'stranger', version: '1' }, heartbeatMs: 5_000, ...extra })
const ours = Buffer.from(preface)

/** What is said, and what the broker makes of it: the byte that breaks the protocol, and what it must be told. */
export const strangers: Readonly<Record<string, (world: World, random: Random) => void>> = {
  HTTP: (world, random) => visit(world, random, [Buffer.from('GET / HTTP/1.1\r\n\r\n')], { at: 0, breach: ['text'] }),
  telnet: (world, random) => visit(world, random, [Buffer.from('hi\r\n')], { at: 0, breach: ['text'] }),
  TLS: (world, random) => visit(world, random, [Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3])], { at: 0, breach: ['text'] }),
  'another version': (world, random) =>
    visit(world, random, [Buffer.from([0x57, 0x41, 0x59, 0x42, 9, 0, 0, 0])], { at: 0, breach: ['version'] }),
  'a frame before HELLO': (world, random) =>
    visit(world, random, [ours, encodeControl(FrameType.list, 0, 1, { kind: 'queues' })], { at: 8, breach: ['frameUnexpected'] }),
  'a large frame before HELLO': (world, random) =>
    visit(world, random, [ours, Buffer.from([0, 1, 0, 0])], { at: 8, breach: ['frameTooLarge'] }),
  silence: (world, random) => visit(world, random, [ours], { at: Infinity, breach: ['handshakeTimeout'] }),
  'a wrong password': (world, random) => visit(world, random, [ours, hello({ user: 'nobody', password: 'guess' })]),
  'another virtual host': (world, random) => visit(world, random, [ours, hello({ vhost: 'elsewhere' })]),
}

export function stranger(world: World, random: Random): void {
  const name = random.pick(Object.keys(strangers))
  world.tally.count(`stranger ${name}`)
  strangers[name]!(world, random)
}

function visit(
  world: World,
  random: Random,
  says: readonly Buffer[],
  broken?: { readonly at: number; readonly breach: Parameters<World['checkers']['expectBreach']>[2] },
): void {
  const handlers = { ingest: () => undefined, drained: () => undefined, closed: () => undefined }
  const connection = world.network.connect(handlers, random.chance(0.5) ? randomWeather(random) : fairWeather())
  if (broken !== undefined) world.checkers.expectBreach(connection, broken.at, broken.breach)
  for (const bytes of says) connection.client.write(bytes)
}
