/** Data that earlier versions wrote, from every format there has been: they open, and all that is in them comes out. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { connect, type Connection } from '@waybill/client'
import { createBroker } from '@waybill/server'
import t, { type Test } from 'tap'
import { copyData, type GoldenData, type GoldenMessage, makeGolden } from './make.js'

const golden = fileURLToPath(new URL('../../test/golden', import.meta.url))

/** Opens a copy, twice, and takes everything out. */
async function opens(t: Test, directory: string): Promise<void> {
  const { exchanges, queues } = JSON.parse(readFileSync(join(directory, 'expected.json'), 'utf8')) as GoldenData
  const copy = mkdtempSync(join(tmpdir(), 'waybill-golden-'))
  t.teardown(() => rmSync(copy, { recursive: true }))
  copyData(directory, copy)
  const identity = (JSON.parse(readFileSync(join(copy, 'waybill.json'), 'utf8')) as { log: string }).log
  for (const round of ['first', 'second']) {
    const broker = await createBroker({ listen: false, data: copy, log: 'none' })
    t.match(broker.data, { log: identity, damageCount: 0 }, round)
    const connection = await connect(broker, { recovery: false })
    const listed = await connection.list('exchanges', { prefix: '' })
    t.strictSame(
      exchanges.filter((name) => !listed.some(({ exchange }) => exchange === name)),
      [],
    )
    t.strictSame((await connection.list('queues')).map(({ queue }) => queue).sort(), Object.keys(queues).sort())
    if (round === 'second') {
      for (const [name, messages] of Object.entries(queues)) t.strictSame(await taken(connection, name), messages, name)
      t.equal((await connection.publish('orders', 'order.eu.paid', 'new')).queues, 3, 'routes are as they were')
    }
    await connection.close()
    await broker.close()
  }
}

/** Everything in a queue, settled. */
async function taken(connection: Connection, queue: string): Promise<GoldenMessage[]> {
  const messages: GoldenMessage[] = []
  for (;;) {
    const message = await connection.get(queue)
    if (message === undefined) return messages
    messages.push({ body: message.content.toString(), key: message.routingKey, headers: JSON.parse(JSON.stringify(message.headers)) })
    await message.ack()
  }
}

for (const format of readdirSync(golden).filter((name) => /^v\d+$/.test(name))) {
  for (const kind of readdirSync(join(golden, format))) {
    t.test(`golden data - ${format}, ${kind}: it opens, and everything is there`, (t) => opens(t, join(golden, format, kind)))
  }
}

t.test('golden data - what this version writes is as good', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'waybill-golden-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  await makeGolden(directory)
  for (const kind of ['closed', 'killed']) await opens(t, join(directory, kind))
})
