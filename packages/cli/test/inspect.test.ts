import { connect } from '@waybill/client'
import { createBroker } from '@waybill/server'
import { createHash } from 'node:crypto'
import { appendFileSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { main } from '../dist/main.js'
import { FakeIo } from './fake-io.js'

async function inspect(...args: string[]) {
  const io = new FakeIo()
  const code = await main(['inspect', ...args], io)
  return { code, out: io.out, err: io.err }
}

/** A directory with 20 messages in a queue, 5 of which are settled, and an exchange. */
async function data(t: Test): Promise<string> {
  const directory = t.testdir({})
  const broker = await createBroker({ listen: false, log: 'none', data: directory })
  const connection = await connect(broker)
  await connection.declareExchange('orders', { type: 'fanout' })
  await connection.declareQueue('emails')
  await connection.bindQueue('emails', 'orders')
  for (let n = 0; n < 20; n++) await connection.publish('orders', '', 'x'.repeat(500))
  for (let n = 0; n < 5; n++) (await connection.get('emails'))!.ack()
  await connection.close()
  await broker.close({ graceMs: 0 })
  return directory
}

function hashes(directory: string): string[] {
  return readdirSync(directory)
    .sort()
    .map(
      (name) =>
        `${name} ${createHash('sha256')
          .update(readFileSync(join(directory, name)))
          .digest('hex')}`,
    )
}

function segmentOf(directory: string): string {
  return join(directory, readdirSync(directory).find((name) => name.startsWith('segment-'))!)
}

t.test('inspect - prints log, files and queues, finds every checksum right, and changes nothing', async (t) => {
  const directory = await data(t)
  const before = hashes(directory)
  const { code, out, err } = await inspect(directory)
  t.equal(err, '')
  t.match(out, /^log [0-9a-z]{10} of 1 owner; 1 exchange, 1 binding, 1 queue, 15 messages\n\n/)
  t.match(out, /^segment-00000001\.log +\d+ +\d+ +\d+$/m)
  t.match(out, /^waybill\.json +\d+$/m)
  t.match(out, /^default {2}emails +15 +\d+$/m)
  t.ok(out.endsWith('\nevery checksum is right\n'), out)
  t.equal(code, 0)
  t.same(hashes(directory), before)
  t.match(JSON.parse((await inspect(directory, '--json')).out), {
    queues: [{ vhost: 'default', queue: 'emails', messageCount: 15 }],
    damage: [],
  })
})

t.test('inspect - a byte that is not as it was written is named by file and offset, and the exit code is 1', async (t) => {
  const directory = await data(t)
  const file = segmentOf(directory)
  const good = readFileSync(file)
  const { blocks } = blocksOf(good)
  t.ok(blocks.length > 20)
  for (const at of [blocks[1] + 60, blocks[10] + 20, blocks[10] + 4]) {
    const bad = Buffer.from(good)
    bad[at] ^= 1
    writeFileSync(file, bad)
    const { code, out } = await inspect(directory)
    const block = blocks.filter((start) => start <= at).at(-1)
    t.match(out, new RegExp(`^damaged: segment-00000001\\.log offset ${block}: `, 'm'), `byte ${at}`)
    t.match(out, /^1 place damaged; a broker serves everything else$/m)
    t.equal(code, 1)
  }
})

t.test('inspect - a write that was cut at the end is told, and is no damage', async (t) => {
  const directory = await data(t)
  const file = segmentOf(directory)
  const { end, blocks } = blocksOf(readFileSync(file))
  const begun = Buffer.from(readFileSync(file).subarray(blocks.at(-1), end - 10))
  writeFileSync(file, readFileSync(file).subarray(0, end))
  appendFileSync(file, begun)
  const { code, out } = await inspect(directory)
  t.match(out, new RegExp(`^cut: segment-00000001\\.log offset ${end}: .*; a broker goes on before it$`, 'm'))
  t.match(out, /^every checksum is right$/m)
  t.equal(code, 0)
})

t.test('inspect - without data, or with those of a newer version, it says so, and the exit code is 2', async (t) => {
  const empty = t.testdir({ 'notes.txt': '' })
  t.same(await inspect(empty), { code: 2, out: '', err: `there are no data of a broker in ${empty}\n` })
  t.match(await inspect(join(empty, 'nowhere')), { code: 2, out: '', err: /^cannot list .*nowhere: ENOENT/ })
  t.same(await inspect(''), { code: 2, out: '', err: 'the name of the data directory is empty; give its path\n' })
  symlinkSync(join(empty, 'nowhere'), join(empty, 'link'))
  t.match(await inspect(join(empty, 'link')), {
    code: 2,
    err: /link is a link to .*nowhere, which is not there; make that directory, or remove the link\n$/,
  })
  t.match(await inspect('a', 'b'), { code: 2, err: "'b' is one word too many for waybill inspect; see waybill inspect --help\n" })

  const directory = await data(t)
  const newer = JSON.stringify({ format: 99, log: 'a', epoch: 1 })
  const { crc32 } = await import('node:zlib')
  const check = crc32(newer).toString(16).padStart(8, '0')
  writeFileSync(join(directory, 'waybill.json'), `${newer.slice(0, -1)},"check":"${check}"}\n`)
  t.match(await inspect(directory), { code: 2, out: '', err: /^waybill\.json has format 99, and this version reads up to \d+: / })
})

/** Where the blocks of a segment begin, and where the last one ends. */
function blocksOf(bytes: Buffer): { blocks: number[]; end: number } {
  const blocks: number[] = []
  let end = 0
  for (let size = bytes.readUInt32BE(0); size > 0; size = end + 4 <= bytes.length ? bytes.readUInt32BE(end) : 0) {
    blocks.push(end)
    end += size
  }
  return { blocks, end }
}
