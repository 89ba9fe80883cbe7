/** The tool on a terminal: prompt, completion, history, Ctrl-C, and what is printed while somebody types. */
import { PassThrough } from 'node:stream'
import t, { type Test } from 'tap'
import { type Broker, createBroker } from '@waybill/server'
import { debug } from '../../dist/debug/debug.js'
import { FakeIo } from '../fake-io.js'

const up = '\u001b[A'
const enter = '\r'

/** A terminal of 200 columns, connected to a broker, at its first prompt. */
async function terminal(t: Test, env: Record<string, string> = { NO_COLOR: '1' }) {
  const broker = await createBroker({ listen: { host: '127.0.0.1', port: 0 }, log: 'none' })
  t.teardown(() => broker.close({ graceMs: 0 }))
  const io = new FakeIo(env)
  const stdin = Object.assign(new PassThrough(), { isTTY: true, setRawMode: () => {} })
  Object.assign(io, { stdin })
  Object.assign(io.stdout, { isTTY: true, columns: 200 })
  const ended = debug([`127.0.0.1:${broker.address!.port}`], io)
  await io.printed('waybill 1> ')
  return {
    broker,
    io,
    ended,
    /** Types keys one after the other, as a person does: what comes in one piece is taken for pasted text. */
    async keys(text: string): Promise<void> {
      const keys = text.startsWith('\u001b') ? [text] : [...text]
      for (const key of keys) {
        stdin.write(key)
        await new Promise(setImmediate)
      }
    },
  }
}

async function elsewhere(broker: Broker, ...lines: string[]): Promise<void> {
  const io = new FakeIo()
  io.stdin.end(lines.join('\n'))
  await debug([`127.0.0.1:${broker.address!.port}`], io)
}

t.test('terminal - a prompt, small frames in hex, and Ctrl-D leaves with 0', async (t) => {
  const { io, keys, ended } = await terminal(t)
  t.match(io.out, 'connected to 127.0.0.1:')
  await keys(`purge nope${enter}`)
  await io.printed("failed: 404 notFound: no queue 'nope'")
  t.match(
    io.out,
    '→ PURGE_QUEUE ch 1 #3 {"queue":"nope"}\n    0000  00 00 00 18 2b 01 00 01  00 00 00 03 7b 22 71 75  |....+.......{"qu|\n',
  )
  await keys('\u0004')
  t.equal(await ended, 0, 'a person has seen what failed')
  t.match(io.out, /→ CLOSE #4/)
  t.equal(io.err, '')
})

t.test('terminal - Tab completes commands and names, the arrow brings back what was typed', async (t) => {
  const { io, keys, ended } = await terminal(t)
  await keys(`dec\tq\temails${enter}`)
  await io.printed('RESULT ch 1 #3')
  await keys(`pur\tem\t${enter}`)
  await io.printed('→ PURGE_QUEUE ch 1 #4 {"queue":"emails"}')
  await io.printed('RESULT ch 1 #4')
  await keys(up)
  await keys(enter)
  await io.printed('→ PURGE_QUEUE ch 1 #5 {"queue":"emails"}')
  await io.printed('RESULT ch 1 #5')
  await keys(`quit${enter}`)
  t.equal(await ended, 0)
})

t.test('terminal - what comes while somebody types is printed above, and the line stays', async (t) => {
  const { broker, io, keys, ended } = await terminal(t)
  await keys(`declare exchange orders topic${enter}`)
  await io.printed('RESULT ch 1 #3')
  await keys(`watch orders order.#${enter}`)
  await io.printed('watching orders for order.#')
  await keys('check exchange ord')
  await elsewhere(broker, 'publish orders order.paid {"id":7}')
  await io.printed('orders › order.paid  persistent')
  const lineCleared = '\u001b[1G\u001b[0J'
  const shown = io.out.slice(io.out.indexOf(`${lineCleared}← DELIVER ch 1 consumer 1, tag 1`))
  t.ok(shown.includes('waybill 1> check exchange ord'), 'the line is there again')
  await keys(`ers${enter}`)
  await io.printed('→ CHECK_EXCHANGE ch 1 #7 {"exchange":"orders"}')
  await keys(`quit${enter}`)
  t.equal(await ended, 0)
})

t.test('terminal - Ctrl-C ends a wait, then clears the line, then leaves', async (t) => {
  const { io, keys, ended } = await terminal(t)
  await keys(`wait 1 message${enter}`)
  await keys('\u0003')
  await io.printed('failed: interrupted')
  await keys('declare queue never')
  await keys('\u0003')
  await keys(`status${enter}`)
  await io.printed('commands go to channel 1')
  t.notMatch(io.out, 'DECLARE_QUEUE')
  await keys('\u0003')
  t.equal(await ended, 0)
})

t.test('terminal - a line that makes no sense is pointed at', async (t) => {
  const { io, keys, ended } = await terminal(t)
  await keys(`consume emails prefetch=x${enter}`)
  await io.printed("a whole number was expected, not 'x'")
  t.match(io.out, `\n${' '.repeat('waybill 1> consume emails '.length)}^\na whole number`)
  await keys(`channel 2${enter}`)
  await io.printed('waybill 2> ')
  await keys(`quit${enter}`)
  t.equal(await ended, 0)
})

t.test('terminal - hex is dim where there is color, and off when it is switched off', async (t) => {
  const { io, keys, ended } = await terminal(t, {})
  t.match(io.out, '\u001b[2m    0000  57 41 59 42 01 00 00 00')
  await keys(`hex off${enter}`)
  await keys(`purge nope${enter}`)
  await io.printed('failed: 404')
  t.match(io.out, '→ PURGE_QUEUE ch 1 #3 {"queue":"nope"}\n← ERROR')
  await keys(`quit${enter}`)
  t.equal(await ended, 0)
})

t.test('terminal - a broker that goes away ends the tool with 2', async (t) => {
  const { broker, io, ended } = await terminal(t)
  await broker.close({ graceMs: 0 })
  t.equal(await ended, 2)
  t.match(io.err, 'the connection is gone')
})
