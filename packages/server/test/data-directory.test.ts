/** A broker and its data directory on a real disk, from one life to the next. */
import { connect } from '@waybill/client'
import { createBroker } from '@waybill/server'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import t from 'tap'

/** A manifest as a later format would begin. */
function newer(manifest: string): string {
  const { log, epoch } = JSON.parse(manifest) as { log: string; epoch: number }
  const plain = JSON.stringify({ format: 2, log, epoch })
  return `${plain.slice(0, -1)},"check":"${crc32(plain).toString(16).padStart(8, '0')}"}\n`
}

type Entry = { readonly level: string; readonly event: string; readonly [field: string]: unknown }

function directory(t: { teardown(end: () => void): void }): string {
  const path = mkdtempSync(join(tmpdir(), 'waybill-data-'))
  t.teardown(() => rmSync(path, { recursive: true, force: true }))
  return path
}

async function started(data: string | false, log: Entry[] = [], limits = {}) {
  const broker = await createBroker({ listen: false, data, limits, log: (entry) => log.push(entry) })
  const connection = await connect(broker, { recovery: false, log: () => {} })
  return { broker, connection, log }
}

async function taken(connection: Awaited<ReturnType<typeof started>>['connection'], queue: string, count: number) {
  const messages: { body: string; redelivered: boolean; id: string }[] = []
  await new Promise<void>((done) => {
    void connection.consume(queue, (message) => {
      messages.push({ body: message.content.toString(), redelivered: message.redelivered, id: message.id })
      if (messages.length === count) done()
    })
  })
  return messages
}

t.test('data directory - what was confirmed is there after an end in order, flagged as perhaps delivered before', async (t) => {
  const data = join(directory(t), 'made', 'when it is not there')
  const first = await started(data)
  t.match(first.broker.data, { directory: data, queueCount: 0, messageCount: 0, damageCount: 0 })
  await first.connection.declareQueue('work')
  await Promise.all(Array.from({ length: 3_000 }, (_, i) => first.connection.sendToQueue('work', `${i}`)))
  await first.connection.close()
  await first.broker.close()

  const second = await started(data)
  t.match(second.broker.data, { directory: data, log: first.broker.data!.log, queueCount: 1, messageCount: 3_000, damageCount: 0 })
  t.match(
    second.log.filter(({ event }) => event === 'data-opened'),
    [{ level: 'info', directory: data, queueCount: 1, messageCount: 3_000 }],
  )
  const messages = await taken(second.connection, 'work', 3_000)
  t.same(
    messages.map(({ body }) => Number(body)),
    Array.from({ length: 3_000 }, (_, i) => i),
  )
  t.ok(messages.every(({ redelivered }) => redelivered))
  t.ok(messages.every(({ id }) => id.startsWith(`${first.broker.data!.log}-`)))
  await second.connection.close()
  await second.broker.close()
})

t.test('data directory - what was taken is delivered when less is taken now', async (t) => {
  const data = directory(t)
  const first = await started(data)
  await first.connection.declareQueue('large')
  for (const size of [200_000, 100, 300_000]) await first.connection.sendToQueue('large', Buffer.alloc(size, 'x'))
  await first.connection.close()
  await first.broker.close()

  const second = await started(data, [], { messageSizeMax: 50_000 })
  t.match(
    second.log.filter(({ event }) => event === 'configuration'),
    [{ level: 'warn', message: /frames of up to \d+ bytes are announced, more than frameSizeMax \(115536\)/ }],
  )
  await t.rejects(second.connection.sendToQueue('large', Buffer.alloc(60_000)), { code: 'MESSAGE_TOO_LARGE' })
  const messages = await taken(second.connection, 'large', 3)
  t.same(
    messages.map(({ body }) => body.length),
    [200_000, 100, 300_000],
  )
  await second.connection.close()
  await second.broker.close()
})

t.test('data directory - what was confirmed is in a copy that is taken at that moment', async (t) => {
  const data = directory(t)
  const copy = join(directory(t), 'copy')
  const { broker, connection } = await started(data)
  await connection.declareQueue('work')
  await Promise.all(Array.from({ length: 500 }, (_, i) => connection.sendToQueue('work', `${i}`)))
  cpSync(data, copy, { recursive: true, filter: (path) => !path.endsWith('.sock') })
  await broker.close({ graceMs: 0 })
  const restored = await started(copy)
  t.equal((await taken(restored.connection, 'work', 500)).length, 500)
  await restored.connection.close()
  await restored.broker.close()
})

t.test('data directory - one broker has it at a time, until it has closed', async (t) => {
  const data = directory(t)
  const { broker } = await started(data)
  await t.rejects(createBroker({ listen: false, data, log: 'none' }), { code: 'DATA_OWNED', message: new RegExp(data) })
  await broker.close({ graceMs: 0 })
  const next = await createBroker({ listen: false, data, log: 'none' })
  await next.close({ graceMs: 0 })
})

t.test('data directory - a broker that cannot listen has given it back', async (t) => {
  const data = directory(t)
  const taken = await createBroker({ listen: { host: '127.0.0.1', port: 0 }, log: 'none' })
  const listen = { host: '127.0.0.1', port: taken.address!.port }
  await t.rejects(createBroker({ listen, data, log: 'none' }), { code: 'EADDRINUSE' })
  await taken.close()
  const next = await createBroker({ listen: false, data, log: 'none' })
  await next.close({ graceMs: 0 })
})

t.test('data directory - one of a newer version is refused, and given back', async (t) => {
  const data = directory(t)
  const { broker } = await started(data)
  await broker.close({ graceMs: 0 })
  const manifest = join(data, 'waybill.json')
  const before = readFileSync(manifest)
  writeFileSync(manifest, newer(before.toString()))
  await t.rejects(createBroker({ listen: false, data, log: 'none' }), { code: 'DATA_FORMAT', message: /format 2.*newer/ })
  writeFileSync(manifest, before)
  const next = await createBroker({ listen: false, data, log: 'none' })
  await next.close({ graceMs: 0 })
})

t.test('data directory - what is no directory is a fault of the disk that names it', async (t) => {
  const file = join(directory(t), 'file')
  writeFileSync(file, '')
  await t.rejects(createBroker({ listen: false, data: file, log: 'none' }), { name: 'DiskError', message: new RegExp(file) })
})

t.test('data directory - without one nothing is kept, and a broker says so', async (t) => {
  const { broker, connection } = await started(false)
  t.equal(broker.data, undefined)
  t.match(await connection.declareQueue('work'), { durable: false })
  await connection.close()
  await broker.close()
})

t.test(
  'data directory - a link or a directory in the place of one of its files is refused, and what it leads to stays as it is',
  async (t) => {
    const data = directory(t)
    const first = await started(data)
    await first.connection.declareQueue('work')
    await first.connection.sendToQueue('work', 'a message')
    await first.connection.close()
    await first.broker.close()
    const name = 'segment-00000001.log'
    const elsewhere = join(directory(t), 'moved.log')
    renameSync(join(data, name), elsewhere)
    const before = readFileSync(elsewhere)

    symlinkSync(elsewhere, join(data, name))
    await t.rejects(started(data), {
      message: /segment-00000001\.log is a symbolic link, and has to be a file: put the file itself there, or take it away$/,
    })
    rmSync(join(data, name))
    mkdirSync(join(data, name))
    await t.rejects(started(data), { code: 'DATA_DISK', message: /segment-00000001\.log is a directory, and has to be a file/ })
    rmSync(join(data, name), { recursive: true })
    t.ok(readFileSync(elsewhere).equals(before), 'nothing was written there')

    mkdirSync(join(data, 'lost+found'))
    renameSync(elsewhere, join(data, name))
    const second = await started(data)
    t.equal((await taken(second.connection, 'work', 1))[0]!.body, 'a message', 'what has no name of ours is left alone')
    await second.connection.close()
    await second.broker.close()
  },
)

t.test('data directory - when nothing but waybill.json is there, that is said', async (t) => {
  const data = directory(t)
  const first = await started(data)
  t.notOk(
    first.log.find(({ event }) => event === 'data-missing'),
    'not of a new one',
  )
  const { log } = first.broker.data!
  await first.connection.close()
  await first.broker.close()
  for (const name of readdirSync(data)) if (name !== 'waybill.json') rmSync(join(data, name))
  const second = await started(data)
  t.match(
    second.log.filter(({ event }) => event === 'data-missing'),
    [{ level: 'warn', directory: data, message: /waybill\.json and no segment: nothing has been kept here yet, or the files are gone$/ }],
  )
  t.equal(second.broker.data!.log, log, 'it is the same log')
  await second.connection.close()
  await second.broker.close()
})
