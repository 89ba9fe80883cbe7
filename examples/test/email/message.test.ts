import t from 'tap'
import { isAddress, parseJob } from '../../dist/email/jobs.js'
import { letterFor } from '../../dist/email/letters.js'
import { compose, type Mail, quotedPrintable } from '../../dist/email/message.js'
import { read } from '../../dist/email/reading.js'

function mail(options: Partial<Mail> = {}): Mail {
  return {
    from: { name: 'The Post Office', address: 'office@waybill.example' },
    to: { name: 'Ann', address: 'ann@example.org' },
    subject: 'Welcome',
    text: 'Hello\n',
    date: new Date(Date.UTC(2026, 4, 17, 12, 30)),
    messageId: '7-42@waybill.example',
    delivery: '7-42 again',
    ...options,
  }
}

t.test('message - a plain mail, byte by byte', async (t) => {
  t.equal(
    compose(mail()),
    [
      'From: The Post Office <office@waybill.example>',
      'To: Ann <ann@example.org>',
      'Subject: Welcome',
      'Date: Sun, 17 May 2026 12:30:00 +0000',
      'Message-ID: <7-42@waybill.example>',
      'X-Delivery: 7-42 again',
      'MIME-Version: 1.0',
      'Content-Type: text/plain; charset=utf-8',
      'Content-Transfer-Encoding: quoted-printable',
      '',
      'Hello',
      '',
    ].join('\r\n'),
  )
})

t.test('message - a name and a text that are not ASCII, byte by byte', async (t) => {
  const lines = compose(mail({ to: { name: 'Zoë', address: 'z@example.org' }, text: 'Hello Zoë, 1 + 1 = 2' })).split('\r\n')
  t.equal(lines[1], 'To: =?UTF-8?B?Wm/Dqw==?= <z@example.org>')
  t.equal(lines.at(-2), 'Hello Zo=C3=AB, 1 + 1 =3D 2')
})

t.test('message - a name with quotes and commas is a quoted string', async (t) => {
  const source = compose(mail({ to: { name: 'Bob "the \\ Builder", Jr.', address: 'bob@example.org' } }))
  t.match(source, 'To: "Bob \\"the \\\\ Builder\\", Jr." <bob@example.org>\r\n')
  t.match(compose(mail({ to: { name: '', address: 'bob@example.org' } })), 'To: <bob@example.org>\r\n')
})

t.test('message - whatever is written is read again, in ASCII and in lines of at most 78 characters', async (t) => {
  const names = ['', 'Ann', 'Łukasz Żak', '山田 太郎'.repeat(10), '😀'.repeat(40), '=?UTF-8?B?bm8=?=', 'a'.repeat(100), 'Ö', `O'Brien`]
  const texts = [
    '',
    'x',
    '.',
    '..\n.\n',
    'trailing space \n\ttab\t\n',
    `${'é'.repeat(200)}\n`,
    'a'.repeat(75),
    'a'.repeat(76),
    'a'.repeat(77),
    '=\n==',
  ]
  for (const name of names) {
    for (const text of texts) {
      const subject = `Welcome, ${name}!`
      const source = compose(mail({ to: { name, address: 'ann@example.org' }, subject, text }))
      const { headers, text: got } = read(source)
      const lines = source.split('\r\n')
      t.ok(
        /^[\t\r\n\x20-\x7e]*$/.test(source) && lines.every((line) => line.length <= 78 && !/[\r\n]/.test(line)),
        `lines of ${name} / ${text}`,
      )
      t.equal(headers.get('subject'), subject)
      t.equal(
        headers.get('to'),
        `${/^[\w ]*$/.test(name) || !/^[\x20-\x7e]*$/.test(name) || name.includes('=?') ? name : `"${name}"`} <ann@example.org>`.trimStart(),
      )
      t.equal(got, text.endsWith('\n') ? text : `${text}\n`)
    }
  }
})

t.test('message - nothing that a visitor types becomes a header of its own', async (t) => {
  const evil = 'Ann\r\nBcc: everybody@example.org\r\n\r\nbuy'
  const source = compose(mail({ to: { name: evil, address: 'ann@example.org' }, subject: evil, messageId: `1\r\n${evil}`, delivery: evil }))
  t.same([...read(source).headers.keys()], [...read(compose(mail())).headers.keys()])
})

t.test('quoted-printable - a space at the end of a line is written out, and no sequence is torn apart', async (t) => {
  t.equal(quotedPrintable('end \nnext'), 'end=20\r\nnext\r\n')
  const lines = quotedPrintable('é'.repeat(60)).split('\r\n')
  t.ok(lines.slice(0, -2).every((line) => /^(=[0-9A-F]{2})+=$/.test(line) && line.length <= 76))
})

t.test('letters - the same job makes the same mail again', async (t) => {
  const job = { kind: 'reset', to: { name: 'Ann', address: 'ann@example.org' }, at: 1_779_000_000_000, token: 'abc' } as const
  t.equal(compose(letterFor(job, '7-42', '1')), compose(letterFor({ ...job }, '7-42', '1')))
  t.match(letterFor(job, '7-42', '1').text, 'token=abc')
})

t.test('email jobs - addresses that could say more than an address are refused', async (t) => {
  for (const good of ['a@b.example', 'a.b+c@sub.b.example', 'visitor.1@quick.example']) t.ok(isAddress(good), good)
  const bad = [
    '',
    'a',
    'a@b',
    '@b.example',
    'a b@c.example',
    'a@b.example>',
    '<a@b.example',
    'a@b.example\r\nDATA',
    'ä@b.example',
    `${'a'.repeat(65)}@b.example`,
    7,
    null,
  ]
  for (const address of bad) t.notOk(isAddress(address), JSON.stringify(address))
})

t.test('email jobs - a job that nobody could work with says why', async (t) => {
  const job = { kind: 'welcome', to: { name: 'Ann', address: 'ann@example.org' }, at: 0 }
  t.same(parseJob(job), job)
  t.throws(() => parseJob({ ...job, kind: 'advert' }), /no such mail: advert/)
  t.throws(() => parseJob({ ...job, to: { name: 'Ann', address: 'ann' } }), /nobody to write to/)
  t.throws(() => parseJob({ ...job, to: undefined }), /nobody to write to/)
  t.throws(() => parseJob({ ...job, at: 'now' }), /without a date/)
})
