import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { Program } from '../../dist/demo/programs.js'
import { addressIn, Stage } from '../../dist/demo/stage.js'
import { deliver } from '../../dist/email/smtp-client.js'

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

async function mailbox(t: import('tap').Test, onChange?: () => void): Promise<Program> {
  const program = new Program('email/mailbox.js', ['--port', '0'], onChange)
  t.teardown(() => program.kill())
  await program.ready()
  return program
}

t.test('programs - a program is ready at its first line, is heard, and ends when asked', async (t) => {
  let heard = () => {}
  const program = await mailbox(t, () => heard())
  const port = Number(/:(\d+)$/.exec(program.lines[0]!)![1])
  const subject = new Promise<void>((resolve) => {
    heard = () => {
      if (program.lines.includes('for ann@b.example: hello')) resolve()
    }
  })
  await deliver('Subject: hello\r\n\r\ntext\r\n', { from: 'a@b.example', to: 'ann@b.example' }, { host: '127.0.0.1', port })
  await subject
  await program.stop()
  t.notOk(isAlive(program.pid))
})

t.test('programs - one that cannot start says why', async (t) => {
  const program = new Program('email/mailbox.js', ['--prt', '0'])
  await t.rejects(program.ready(), { message: /^email\/mailbox\.js ended with 1: .*--prt/ })
})

t.test('programs - one that was killed does not count as having ended well', async (t) => {
  const program = await mailbox(t)
  await program.kill()
  t.notOk(isAlive(program.pid))
  await t.rejects(program.stop(), { message: 'email/mailbox.js ended with SIGKILL: without a word' })
})

t.test('stage - clearing it ends its programs and removes its files, whatever a closer throws', async (t) => {
  const stage = new Stage(() => {})
  const program = await stage.start('email/mailbox.js', ['--port', '0'])
  const directory = stage.directory()
  await writeFile(join(directory, 'a.png'), 'a')
  stage.closeLater(() => Promise.reject(new Error('no')))
  t.ok(isAlive(program.pid))
  await stage.clear()
  t.notOk(isAlive(program.pid))
  t.notOk(existsSync(directory))
})

t.test('stage - who waits goes on when it is so, or when patience ends', async (t) => {
  const stage = new Stage(() => {})
  let count = 0
  const waiting = stage.until(() => count === 2)
  for (count = 1; count < 3; count++) stage.notify()
  await waiting
  await t.resolves(stage.until(() => false, 1))
})

t.test('stage - a program that listens nowhere is not asked for its address', async (t) => {
  const program = await mailbox(t)
  t.throws(() => addressIn(program), /email\/mailbox\.js does not say where it listens/)
})
