import t from 'tap'
import { checkPreface, type Foreign, foreignLine } from '@waybill/protocol'

t.test('preface - the answer depends on the first 8 bytes or the first line, not on what follows', async (t) => {
  const lines = ['GET / HTTP/1.1\r\nHost: x\r\n\r\n', 'AMQP\0\0\x09\x01more', 'hello\nWAYB\x01\0\0\0', 'WAYB\x01\0\0\0\xff\xff\xff\xff']
  for (const text of lines) {
    const bytes = Buffer.from(text, 'latin1')
    const whole = checkPreface(bytes, 0, bytes.length)
    t.not(whole.state, 'need-more')
    for (let size = 0; size < bytes.length; size++) {
      const part = checkPreface(bytes, 0, size)
      if (part.state !== 'need-more') t.same(part, whole, `${JSON.stringify(text)}, ${size} bytes`)
    }
  }
})

t.test('preface - when nothing more will come, every beginning has an answer', async (t) => {
  for (let value = 0; value < 256; value++) {
    const bytes = Buffer.from([value, 0x41])
    for (let size = 0; size <= 2; size++) t.equal(checkPreface(bytes, 0, size, true).state, 'foreign')
  }
  t.same(checkPreface(Buffer.from('WAYB'), 0, 0, true), { state: 'foreign', foreign: 'silence' })
  t.same(checkPreface(Buffer.from('hi'), 0, 2, true), { state: 'foreign', foreign: 'text' })
  t.same(checkPreface(Buffer.from('WAYB\x01'), 0, 5, true), { state: 'foreign', foreign: 'bytes' })
})

t.test('preface - each line is one line and says what to do', async (t) => {
  for (const foreign of ['tls', 'http', 'amqp', 'text', 'bytes', 'silence'] satisfies Foreign[]) {
    const line = foreignLine(foreign)
    t.match(line, /^[^\r\n]{40,160}\r\n$/)
    t.match(line, /waybill/i)
  }
  t.match(foreignLine('http'), /^HTTP\/1\.1 400 /, 'a browser can show it')
})
