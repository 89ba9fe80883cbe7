import t from 'tap'
import { formatEntry, RateLimit, safely, stderrLog } from '../dist/log.js'
import { VirtualClock } from './support/virtual-clock.js'

t.test('log - an entry is one line, its message last', async (t) => {
  const entry = { level: 'warn', event: 'connection-lost', host: 'a:1', message: 'two\nlines', attempt: 3, none: undefined } as const
  t.equal(formatEntry(entry), 'waybill connection-lost host=a:1 attempt=3 - two lines')
})

t.test('log - only warnings and errors go to stderr', async (t) => {
  const lines: string[] = []
  const original = process.stderr.write
  process.stderr.write = ((text: string) => lines.push(text) > 0) as typeof process.stderr.write
  try {
    for (const level of ['debug', 'info', 'warn', 'error'] as const) stderrLog({ level, event: level })
  } finally {
    process.stderr.write = original
  }
  t.same(lines, ['waybill warn\n', 'waybill error\n'])
})

t.test('log - a logger that throws does not throw into the client', async (t) => {
  const original = process.stderr.write
  let line = ''
  process.stderr.write = ((text: string) => {
    line = text
    return true
  }) as typeof process.stderr.write
  try {
    safely(() => {
      throw new Error('disk full')
    })({ level: 'info', event: 'x' })
  } finally {
    process.stderr.write = original
  }
  t.match(line, /disk full/)
})

t.test('log - five in ten seconds get through, and the next one says how many did not', async (t) => {
  const clock = new VirtualClock()
  const limit = new RateLimit(clock)
  const passes = Array.from({ length: 12 }, () => limit.pass())
  t.same(passes, [0, 0, 0, 0, 0, ...new Array(7).fill(undefined)])
  await clock.advance(10_000)
  t.equal(limit.pass(), 7)
  t.equal(limit.pass(), 0)
})
