/** The programs of the examples as their users meet them, where the demo does not: refused, damaged, and without a broker. */
import { connect } from '@waybill/client'
import { createBroker } from '@waybill/server'
import t from 'tap'
import { Program } from '../dist/demo/programs.js'
import { addressIn } from '../dist/demo/stage.js'
import { startSmtpServer } from '../dist/email/smtp-server.js'
import { draw } from '../dist/images/draw.js'

async function broker(t: import('tap').Test) {
  const broker = await createBroker({ listen: { host: '127.0.0.1', port: 0 }, log: () => {} })
  t.teardown(() => broker.close())
  return { url: `waybill://127.0.0.1:${broker.address!.port}`, close: () => broker.close() }
}

async function start(t: import('tap').Test, name: string, args: readonly string[], onChange?: () => void): Promise<Program> {
  const program = new Program(name, args, onChange)
  t.teardown(() => program.kill())
  await program.ready()
  return program
}

function post(url: string, body: unknown): Promise<Response> {
  return fetch(url, { method: 'POST', body: Buffer.isBuffer(body) ? new Uint8Array(body) : JSON.stringify(body) })
}

t.test('email http - a form that nobody could answer is refused, and makes no job', async (t) => {
  const { url } = await broker(t)
  const web = addressIn(await start(t, 'email/http.js', ['--broker', url, '--port', '0']))
  const statuses: number[] = []
  for (const form of [
    null,
    {},
    { address: 'ann' },
    { address: 'ann@b.example\r\nDATA' },
    { address: 'ann@b.example', name: 'a'.repeat(101) },
  ]) {
    statuses.push((await post(`${web}/signup`, form)).status)
  }
  statuses.push((await fetch(`${web}/signup`, { method: 'POST', body: '{' })).status)
  statuses.push((await post(`${web}/signup`, 'a'.repeat(5_000))).status)
  t.same(statuses, [422, 422, 422, 422, 422, 400, 413])

  t.equal((await post(`${web}/signup`, { name: 'Ann', address: 'ann@b.example' })).status, 202)
  const connection = await connect(url)
  t.equal((await connection.checkQueue('emails')).messageCount, 1)
  await connection.close()
})

t.test('email http - while the broker is away a visitor hears 503, not 202', async (t) => {
  const { url, close } = await broker(t)
  const web = addressIn(await start(t, 'email/http.js', ['--broker', url, '--port', '0']))
  await close()
  t.equal((await post(`${web}/reset`, { address: 'ann@b.example' })).status, 503)
})

t.test('email worker - jobs that make no sense are rejected, and the next one is done', async (t) => {
  const { url } = await broker(t)
  const delivered = new Promise<string>((resolve) => {
    void startSmtpServer({ accept: (_, { to }) => resolve(to) }).then(async (smtp) => {
      t.teardown(() => smtp.close())
      await start(t, 'email/worker.js', ['--broker', url, '--smtp', `127.0.0.1:${smtp.port}`])
    })
  })
  const connection = await connect(url)
  t.teardown(() => connection.close())
  await connection.declareQueue('emails')
  await connection.sendToQueue('emails', 'no job at all')
  await connection.sendToQueue('emails', { kind: 'welcome', to: { name: '', address: 'a@b.example>\r\nDATA' }, at: 0 })
  await connection.sendToQueue('emails', { kind: 'welcome', to: { name: '', address: 'ann@b.example' }, at: 0 })
  t.equal(await delivered, 'ann@b.example')
  const [queue] = await connection.list('queues', { prefix: 'emails' })
  t.equal(queue!.rejectedCount, 2)
})

t.test('blog - a damaged picture is taken and left as it is, and the next one is made smaller', async (t) => {
  const { url } = await broker(t)
  const directory = t.testdir({})
  const web = addressIn(await start(t, 'images/blog.js', ['--broker', url, '--port', '0', '--dir', directory]))
  t.equal((await post(`${web}/pictures`, Buffer.from('GIF89a'))).status, 415)
  for (const path of ['/pictures/', '/pictures/a.png', '/pictures/%2e%2e%2fsecret.png'])
    t.equal((await fetch(`${web}${path}`)).status, 404, path)

  const { file } = draw(40, 30, 1)
  const damaged = file.subarray(0, -20)
  const names: string[] = []
  for (const picture of [damaged, file]) names.push(((await (await post(`${web}/pictures`, picture)).json()) as { name: string }).name)
  let look = () => {}
  const worker = await start(t, 'images/worker.js', ['--broker', url, '--dir', directory], () => look())
  await new Promise<void>((resolve) => {
    look = () => {
      if (worker.lines.some((line) => line.startsWith(`done ${names[1]}`))) resolve()
    }
    look()
  })
  const download = async (name: string) => Buffer.from(await (await fetch(`${web}/pictures/${name}`)).arrayBuffer())
  t.ok((await download(names[0]!)).equals(damaged))
  t.ok((await download(names[1]!)).length < file.length)
  await worker.stop()
})

t.test('quotes - a program that asks gets its price, or the reason why there is none', async (t) => {
  const { url } = await broker(t)
  await start(t, 'rpc/quotes.js', ['--broker', url])
  const ask = new Program('rpc/ask.js', ['--broker', url, '--item', 'crate', '--pieces', '12'])
  await ask.ready()
  t.same(ask.lines, ['12 x crate: 285.00'])
  await ask.finished()
  await t.rejects(new Program('rpc/ask.js', ['--broker', url, '--item', 'unicorn']).ready(), {
    message: /ended with 1: we do not sell a unicorn/,
  })
})
