import t from 'tap'
import { Secret } from '../dist/auth/secret.js'
import { type LogOptions, makeLogger } from '../dist/log.js'

function logger(options: Partial<LogOptions> = {}) {
  const lines: string[] = []
  const clock = { now: Date.parse('2026-11-21T10:00:00.000Z') }
  const log = makeLogger({ form: 'text', write: (line) => lines.push(line), wall: () => clock.now, ...options })
  return { log, lines, clock }
}

t.test('log - one line an event, as text', async (t) => {
  const { log, lines } = logger()
  log('info', 'connection-opened', { connection: 7, remote: '127.0.0.1:50412', user: 'ann b', tls: false, vhost: undefined, last: null })
  log('warn', 'stalled')
  t.same(lines, [
    '2026-11-21T10:00:00.000Z info  connection-opened connection=7 remote=127.0.0.1:50412 user="ann b" tls=false last=null\n',
    '2026-11-21T10:00:00.000Z warn  stalled\n',
  ])
})

t.test('log - one line an event, as JSON', async (t) => {
  const { log, lines } = logger({ form: 'json' })
  log('error', 'sync-failed', { error: Object.assign(new Error('no space'), { code: 'ENOSPC' }), count: 2n })
  t.equal(lines[0], '{"time":"2026-11-21T10:00:00.000Z","level":"error","event":"sync-failed","error":"ENOSPC: no space","count":"2"}\n')
})

t.test('log - what a peer sends cannot end the line, colour it, or turn it around', async (t) => {
  const unkind = 'a\r\n2026 info  fake\u001b[31m\u0000\u007f\u0085\u009b\u2028\u2029\u202e\u2066\u200b\ufeff\ud800"\\'
  for (const form of ['text', 'json'] as const) {
    const { log, lines } = logger({ form })
    log('info', 'refused', { name: unkind, [unkind]: 1, inner: { [unkind]: [unkind] } })
    t.equal(lines[0]!.indexOf('\n'), lines[0]!.length - 1)
    t.match(lines[0], /^[\x20-\x7e]*\n$/)
    if (form === 'json') t.equal(JSON.parse(lines[0]!).name, unkind)
  }
})

t.test('log - secrets and bytes are not shown, wherever they stand', async (t) => {
  for (const form of ['text', 'json'] as const) {
    const { log, lines } = logger({ form })
    const body = Buffer.from('hunter2')
    log('info', 'x', { a: new Secret('hunter2'), password: 'hunter2', authToken: 'hunter2', body, list: [new Secret('hunter2'), body] })
    log('info', 'x', { user: { name: 'ann', passwordHash: 'hunter2', deep: { deeper: { secret: 'hunter2', deepest: ['hunter2'] } } } })
    t.notMatch(lines.join(''), /hunter2/)
    t.match(lines[0], /\*\*\*.*\*\*\*.*\*\*\*.*<7 bytes>/)
    t.match(lines[1], /ann/)
  }
})

t.test('log - sizes are bounded', async (t) => {
  const { log, lines } = logger({ form: 'json' })
  log('info', 'x', { name: 'n'.repeat(1_000_000), list: Array.from({ length: 1_000 }, (_, i) => i) })
  t.ok(lines[0]!.length < 600)
  t.match(JSON.parse(lines[0]!), { name: /^n{256}… \(1000000\)$/, list: /984 more/ })
  log('info', 'x', Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`f${i}`, i])))
  t.equal(JSON.parse(lines[1]!).more, 68)
  log('info', 'x', Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`f${i}`, 'y'.repeat(250)])))
  t.ok(lines[2]!.length < 5_000)
  t.equal(JSON.parse(lines[2]!).more, 14)
})

t.test('log - values of any kind are safe', async (t) => {
  const { log, lines } = logger({ form: 'json' })
  const loop: Record<string, unknown> = {}
  loop.self = loop
  log('info', 'x', {
    nan: Number.NaN,
    fn: () => 1,
    symbol: Symbol('s'),
    date: new Date(0),
    loop,
    level: 'mine',
    event: 'mine',
    ['__proto__']: 'p',
  })
  t.match(JSON.parse(lines[0]!), {
    level: 'info',
    event: 'x',
    nan: 'NaN',
    fn: '<function>',
    symbol: '<symbol>',
    date: '1970-01-01T00:00:00.000Z',
    loop: { self: { self: '<object>' } },
    level_: 'mine',
    event_: 'mine',
    __proto___: 'p',
  })
})

t.test('log - an event that comes too often is counted, others are not held back', async (t) => {
  const { log, lines, clock } = logger()
  for (let i = 0; i < 1_000; i++) log('warn', 'garbage')
  log('info', 'other')
  t.equal(lines.length, 21)
  clock.now += 10_000
  log('warn', 'garbage')
  log('warn', 'garbage')
  t.match(lines[21], /garbage suppressed=980\n$/)
  t.match(lines[22], /garbage\n$/)
  clock.now -= 3_600_000
  log('warn', 'garbage')
  t.equal(lines.length, 24, 'a clock turned back does not silence it')
})

t.test('log - levels below the least are left out, and nothing at all is none', async (t) => {
  const { log, lines } = logger()
  log('debug', 'x')
  t.equal(lines.length, 0)
  const all = logger({ levelMin: 'debug' })
  all.log('debug', 'x')
  t.equal(all.lines.length, 1)
  const none = logger({ form: 'none' })
  none.log('error', 'x')
  t.equal(none.lines.length, 0)
})

t.test('log - a function gets the same entries, and may throw', async (t) => {
  const entries: unknown[] = []
  const { log, lines } = logger({
    form: (entry) => {
      entries.push(entry)
      throw new Error('mine')
    },
  })
  log('info', 'x', { password: 'hunter2', n: 1 })
  log('info', 'y')
  t.same(entries, [
    { password: '***', n: 1, level: 'info', event: 'x' },
    { level: 'info', event: 'y' },
  ])
  t.equal(lines.length, 0)
})
