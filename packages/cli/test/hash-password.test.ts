import { PassThrough } from 'node:stream'
import t from 'tap'
import { hashPassword } from '../dist/hash-password.js'
import { FakeIo } from './fake-io.js'

/** A terminal on which somebody types these keys, once they are asked for. */
function terminal(...answers: string[]) {
  const io = new FakeIo()
  const raw: boolean[] = []
  const stdin = Object.assign(new PassThrough(), { isTTY: true, setRawMode: (on: boolean) => raw.push(on) })
  let prompts = 0
  io.stderr.on('data', () => {
    const asked = (io.err.match(/: $/gm) ?? []).length > 0 && io.err.endsWith(': ')
    if (asked && prompts < answers.length) stdin.write(answers[prompts++])
  })
  return { io: Object.assign(io, { stdin }) as FakeIo, raw }
}

t.test('hash-password - hashes what comes through a pipe, without the line end', async (t) => {
  const io = new FakeIo()
  io.stdin.end('correct horse\n')
  t.equal(await hashPassword([], io), 0)
  t.match(io.out, /^scrypt\$32768\$8\$1\$[A-Za-z0-9+/]{22}==\$[A-Za-z0-9+/]{43}=\n$/)
  t.equal(io.err, '')
})

t.test('hash-password - on a terminal it asks twice and shows nothing', async (t) => {
  const { io, raw } = terminal('sekrez\u007ft\r', 'sekret\r')
  t.equal(await hashPassword([], io), 0)
  t.match(io.out, /^scrypt\$/)
  t.equal(io.err, 'password: \nonce more: \n')
  t.same(raw, [true, false, true, false], 'the terminal is as it was')
})

t.test('hash-password - two different passwords are none, and Ctrl-C leaves', async (t) => {
  const different = terminal('one\r', 'two\r')
  t.equal(await hashPassword([], different.io), 2)
  t.match(different.io.err, 'these were two different passwords')
  const interrupted = terminal('o\u0003')
  t.equal(await hashPassword([], interrupted.io), 2)
  t.match(interrupted.io.err, 'nothing was typed')
  t.same(interrupted.raw, [true, false])
})

t.test('hash-password - a password is never an argument, and what is none is refused', async (t) => {
  const argument = new FakeIo()
  t.equal(await hashPassword(['hunter2'], argument), 2)
  t.match(argument.err, /^a password is never an argument/)
  t.notMatch(argument.err, 'hunter2')
  for (const [text, problem] of [
    ['', 'there was no password on standard input'],
    ['\n', 'there was no password on standard input'],
    ['one\ntwo\n', 'there were several lines on standard input'],
    ['x'.repeat(1_025), 'a password of 1025 characters; at most 1024'],
  ] as const) {
    const io = new FakeIo()
    io.stdin.end(text)
    t.equal(await hashPassword([], io), 2)
    t.match(io.err, problem)
    t.equal(io.out, '')
  }
})
