import { RejectError, UsageError } from '@waybill/client'
import t from 'tap'
import { decodeBody, EncodedBody, formOf } from '../dist/body.js'

function encoded(body: unknown): { form: string; bytes: Buffer } {
  const encoder = new EncodedBody()
  encoder.encode(body)
  return { form: encoder.form, bytes: Buffer.from(encoder.bytes.subarray(0, encoder.size)) }
}

t.test('body - bytes of any kind travel as they are', async (t) => {
  const bytes = Buffer.from([0, 1, 254, 255])
  t.same(encoded(bytes), { form: 'bytes', bytes })
  t.same(encoded(new Uint8Array(bytes)), { form: 'bytes', bytes })
  t.same(encoded(new Uint8Array([9, ...bytes, 9]).subarray(1, 5)), { form: 'bytes', bytes })
  t.same(encoded(new DataView(new Uint8Array([9, ...bytes]).buffer, 1)), { form: 'bytes', bytes })
  t.same(encoded(new Uint8Array(bytes).buffer), { form: 'bytes', bytes })
  t.same(encoded(new Uint16Array([0x0201])).bytes, Buffer.from([1, 2]))
})

t.test('body - a string is UTF-8, whatever its length', async (t) => {
  for (const text of ['', 'grüße €', '€'.repeat(16_384), 'é'.repeat(16_385)]) {
    t.same(encoded(text), { form: 'text', bytes: Buffer.from(text) })
  }
})

t.test('body - everything else is JSON', async (t) => {
  for (const value of [{ a: [1, null] }, [], 0, true, null, new Date(0)])
    t.same(encoded(value), { form: 'json', bytes: Buffer.from(JSON.stringify(value)) })
})

t.test('body - what has no JSON is a mistake', async (t) => {
  const circle: { self?: unknown } = {}
  circle.self = circle
  for (const value of [undefined, () => 1, Symbol('x'), 1n, circle]) {
    t.throws(() => encoded(value), UsageError)
    t.throws(() => encoded(value), { code: 'BODY_INVALID' })
  }
})

t.test('body - one encoder is used again and again', async (t) => {
  const encoder = new EncodedBody()
  encoder.encode('a longer text')
  encoder.encode('short')
  t.equal(Buffer.from(encoder.bytes.subarray(0, encoder.size)).toString(), 'short')
})

t.test('body - the content type says how it is read', async (t) => {
  const forms = {
    'text/plain': 'text',
    'TEXT/HTML; charset=UTF-8': 'text',
    'application/json': 'json',
    'application/json; charset=utf-8': 'json',
    'application/problem+json': 'json',
    'text/plain; charset=latin1': 'bytes',
    'application/octet-stream': 'bytes',
    'image/png': 'bytes',
  }
  for (const [type, form] of Object.entries(forms)) t.equal(formOf(type), form, type)
})

t.test('body - JSON that is none rejects its message', async (t) => {
  const bytes = Buffer.from('{"a":')
  t.throws(() => decodeBody('json', bytes, 0, bytes.length), RejectError)
  t.same(decodeBody('json', Buffer.from('x{"a":1}x'), 1, 8), { a: 1 })
  t.equal(decodeBody('text', Buffer.from('grüße'), 0, 7), 'grüße')
})
