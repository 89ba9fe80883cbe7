import { createServer, type AddressInfo, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { stuffDots, unstuffLine } from '../../dist/email/dots.js'
import { deliver, type Envelope, SmtpError } from '../../dist/email/smtp-client.js'
import { startSmtpServer } from '../../dist/email/smtp-server.js'

const envelope: Envelope = { from: 'office@waybill.example', to: 'ann@example.org' }

/** Our server, and what it was given. */
async function mailbox(t: Test, options: { greylisted?: (to: string) => boolean } = {}) {
  const mails: { mail: string; envelope: Envelope }[] = []
  const server = await startSmtpServer({ ...options, accept: (mail, envelope) => void mails.push({ mail, envelope }) })
  t.teardown(() => server.close())
  return { mails, server: { host: '127.0.0.1', port: server.port }, count: () => server.postponedCount }
}

/** A server that says one line after the other, whatever it hears, and then hangs up. */
async function scripted(t: Test, ...lines: readonly string[]) {
  const sockets: Socket[] = []
  const server = createServer((socket) => {
    sockets.push(socket)
    const script = [...lines]
    const say = () => {
      const line = script.shift()
      if (line === undefined) socket.end()
      else socket.write(line)
    }
    socket.on('error', () => {})
    socket.on('data', say)
    say()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    return new Promise((resolve) => server.close(resolve))
  })
  return { host: '127.0.0.1', port: (server.address() as AddressInfo).port }
}

t.test('dots - doubled where a line begins with one, and only there', async (t) => {
  t.equal(stuffDots('.\r\n'), '..\r\n.\r\n')
  t.equal(stuffDots('a.b\r\n.c\r\n..d\r\n'), 'a.b\r\n..c\r\n...d\r\n.\r\n')
  t.equal(stuffDots('.\r\n.\r\n.'), '..\r\n..\r\n..\r\n.\r\n', 'a last line without an end gets one')
  t.equal(stuffDots(''), '\r\n.\r\n')
  t.equal(stuffDots('a\n.b\r\n'), 'a\n.b\r\n.\r\n', 'a bare line feed does not end a line')
  t.same(['..', '.x', 'x.', ''].map(unstuffLine), ['.', 'x', 'x.', ''])
})

t.test('smtp - a mail arrives as it was sent, dots and all', async (t) => {
  const { mails, server } = await mailbox(t)
  const mail = 'Subject: dots\r\n\r\n.\r\n..\r\n.one\r\ntwo.\r\n\r\n.\r\n'
  await deliver(mail, envelope, server)
  t.same(mails, [{ mail, envelope }])
})

t.test('smtp - a mail cannot hide a second one behind a bare line feed', async (t) => {
  const { mails, server } = await mailbox(t)
  await deliver('a\n.\nMAIL FROM:<x@y.example>\r\n', envelope, server)
  t.equal(mails.length, 1)
})

t.test('smtp - who is greylisted is refused for now and taken the second time', async (t) => {
  const { mails, server, count } = await mailbox(t, { greylisted: (to) => to === envelope.to })
  const refusal = await deliver('a\r\n', envelope, server).catch((error) => error)
  t.ok(refusal instanceof SmtpError)
  t.equal(refusal.status, 451)
  t.notOk(refusal.isPermanent)
  await deliver('a\r\n', envelope, server)
  t.equal(mails.length, 1)
  t.equal(count(), 1)
})

t.test('smtp - a mail beyond the size of the mailbox is refused for ever', async (t) => {
  const { mails, server } = await mailbox(t)
  const line = `${'x'.repeat(900)}\r\n`
  const refusal = await deliver(line.repeat(1200), envelope, server).catch((error) => error)
  t.equal(refusal.status, 552)
  t.ok(refusal.isPermanent)
  t.same(mails, [])
})

t.test('smtp - an answer of several lines is one answer', async (t) => {
  const server = await scripted(t, '220-one\r\n220-two\r\n220 three\r\n', '250 a\r\n', '250 b\r\n', '250 c\r\n', '354 d\r\n', '250 e\r\n')
  await t.resolves(deliver('a\r\n', envelope, server))
})

t.test('smtp - each refusal says its status and stops the conversation', async (t) => {
  const polite = ['220 a\r\n', '250 b\r\n', '250 c\r\n', '250 d\r\n', '354 e\r\n', '250 f\r\n']
  for (let step = 0; step < polite.length; step++) {
    const server = await scripted(t, ...polite.slice(0, step), '550-no\r\n550 never\r\n')
    await t.rejects(deliver('a\r\n', envelope, server), { status: 550, message: '550 no\nnever' }, `at step ${step}`)
  }
})

t.test('smtp - a server that hangs up before it has taken the mail is a failure at every step', async (t) => {
  const polite = ['220 a\r\n', '250 b\r\n', '250 c\r\n', '250 d\r\n', '354 e\r\n']
  for (let step = 0; step <= polite.length; step++) {
    const server = await scripted(t, ...polite.slice(0, step))
    await t.rejects(deliver('a\r\n', envelope, server), Error, `after ${step} answers`)
  }
})

t.test('smtp - garbage and endless talk are failures, and nobody listening is one', async (t) => {
  await t.rejects(deliver('a\r\n', envelope, await scripted(t, 'HTTP/1.1 400 Bad Request\r\n')), /not an SMTP reply/)
  await t.rejects(deliver('a\r\n', envelope, await scripted(t, 'x'.repeat(70_000))), /does not stop talking/)
  const { server } = await mailbox(t)
  const closed = await startSmtpServer({ accept: () => {} })
  await closed.close()
  await t.rejects(deliver('a\r\n', envelope, { ...server, port: closed.port }), { code: 'ECONNREFUSED' })
})

t.test('smtp - a delivery that is no longer wanted ends at once', async (t) => {
  const controller = new AbortController()
  const server = await scripted(t, '')
  const delivery = deliver('a\r\n', envelope, { ...server, signal: controller.signal })
  controller.abort()
  await t.rejects(delivery)
})
