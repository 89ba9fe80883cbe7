/**
 * Makes the golden data of a format: data directories as a broker of that version leaves them, with all that can be in them, and what has to come out of them
 * for ever.
 *
 *     node packages/server/dist-test/golden/make.js packages/server/test/golden/v1
 *
 *     closed/         the broker has ended well: a snapshot, an idle marker, nothing behind it
 *     killed/         it ended in the middle: a snapshot, and blocks behind it
 *     expected.json   names, and the messages of each queue in order
 *
 * They are made once for each format, and never again: what is in them was written by that version.
 */
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, type Connection } from '@waybill/client'
import { createBroker } from '@waybill/server'

export interface GoldenMessage {
  readonly body: string
  readonly key: string
  readonly headers: object
}

export interface GoldenData {
  readonly exchanges: readonly string[]
  readonly queues: { readonly [name: string]: readonly GoldenMessage[] }
}

/** What is kept of a data directory: not the socket, and no segment that is only prefilled. */
export function copyData(from: string, to: string): void {
  mkdirSync(to, { recursive: true })
  for (const name of readdirSync(from)) if (!/\.sock$|^spare-/.test(name)) cpSync(join(from, name), join(to, name))
}

export async function makeGolden(target: string): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'waybill-golden-'))
  const expected: { exchanges: string[]; queues: Record<string, GoldenMessage[]> } = { exchanges: [], queues: {} }
  try {
    const first = await createBroker({ listen: false, data: directory, log: 'none' })
    const connection = await connect(first, { recovery: false })
    await declare(connection)
    await publish(connection, expected, 1)
    await connection.close()
    await first.close()
    copyData(directory, join(target, 'closed'))
    writeFileSync(join(target, 'closed', 'expected.json'), `${JSON.stringify(expected, undefined, 2)}\n`)

    const second = await createBroker({ listen: false, data: directory, log: 'none' })
    const again = await connect(second, { recovery: false })
    await publish(again, expected, 2)
    await settle(again, expected)
    copyData(directory, join(target, 'killed'))
    writeFileSync(join(target, 'killed', 'expected.json'), `${JSON.stringify(expected, undefined, 2)}\n`)
    await again.close()
    await second.close()
  } finally {
    rmSync(directory, { recursive: true })
  }
}

async function declare(connection: Connection): Promise<void> {
  await connection.declareExchange('unrouted', { type: 'fanout' })
  await connection.declareExchange('orders', { type: 'topic', alternate: 'unrouted' })
  await connection.declareExchange('alerts', { type: 'headers' })
  await connection.declareExchange('direct', { type: 'direct' })
  await connection.declareQueue('paid')
  await connection.declareQueue('all')
  await connection.declareQueue('alerts')
  await connection.declareQueue('lost')
  await connection.declareQueue('grüße, мир')
  await connection.declareQueue('gone')
  await connection.declareQueue('passing', { durable: false })
  await connection.bindQueue('paid', 'orders', 'order.*.paid')
  await connection.bindQueue('all', 'orders', '#')
  await connection.bindQueue('lost', 'unrouted')
  await connection.bindQueue('alerts', 'alerts', '', { headers: { level: 'high', urgent: true }, match: 'all' })
  await connection.bindExchange('direct', 'orders', 'order.#')
  await connection.bindQueue('grüße, мир', 'direct', 'order.eu.paid')
  await connection.bindQueue('gone', 'direct', 'order.us.paid')
  await connection.deleteQueue('gone')
  await connection.unbindQueue('all', 'orders', '#')
  await connection.bindQueue('all', 'orders', 'order.#')
}

async function publish(connection: Connection, expected: { exchanges: string[]; queues: Record<string, GoldenMessage[]> }, round: number) {
  expected.exchanges = ['alerts', 'direct', 'orders', 'unrouted']
  const put = (queue: string, message: GoldenMessage): void => {
    expected.queues[queue] = [...(expected.queues[queue] ?? []), message]
  }
  const headers = { level: 'high', urgent: true, count: 42, ratio: 0.5, raw: Buffer.from('raw') }
  for (let i = 0; i < 30; i++) {
    const key = ['order.eu.paid', 'order.us.paid', 'order.eu.sent', 'else'][i % 4]
    const body = `${round}/${i} ${'body '.repeat(i === 12 ? 4_000 : i)}`
    await connection.publish('orders', key, body)
    const message = { body, key, headers: {} }
    if (key.endsWith('.paid')) put('paid', message)
    if (key.startsWith('order.')) put('all', message)
    if (key === 'order.eu.paid') put('grüße, мир', message)
    if (key === 'else') put('lost', message)
  }
  await connection.publish('alerts', '', `${round}/alert`, { headers })
  put('alerts', { body: `${round}/alert`, key: '', headers: JSON.parse(JSON.stringify(headers)) })
  await connection.publish('alerts', '', `${round}/passing`, { headers, persistent: false })
}

/** Of `paid` every third is settled, of `lost` all are purged. */
async function settle(connection: Connection, expected: { queues: Record<string, GoldenMessage[]> }): Promise<void> {
  const kept: GoldenMessage[] = []
  const held = []
  for (const [index, message] of expected.queues.paid.entries()) {
    const got = (await connection.get('paid'))!
    if (index % 3 === 0) await got.ack()
    else {
      held.push(got)
      kept.push(message)
    }
  }
  for (const message of held) await message.requeue()
  expected.queues.paid = kept
  await connection.purgeQueue('lost')
  expected.queues.lost = []
}

if (process.argv[1]?.endsWith('make.js')) void main(process.argv[2])

async function main(target: string | undefined): Promise<void> {
  if (target === undefined) throw new Error('name the directory to make')
  await makeGolden(target)
}
