import t from 'tap'
import {
  type ControlName,
  controlType,
  decodeControl,
  decodeResult,
  encodeControl,
  ErrorCode,
  errorBody,
  type ErrorName,
  FrameType,
  type RequestName,
  schemas,
} from '@waybill/protocol'

t.test('control - a frame is written around its body', async (t) => {
  t.equal(encodeControl(FrameType.open, 1, 0x01020304, {}).toString('hex'), `0000000a130100010102${'0304'}7b7d`)
  t.equal(encodeControl(FrameType.status, 0, 0, { state: 'unblocked' }).toString('hex', 0, 8), '0000001915000000')
  const umlaut = encodeControl(FrameType.checkQueue, 1, 1, { queue: 'grün' })
  t.equal(umlaut.readUInt32BE(0), umlaut.length - 4, 'the size counts bytes, not characters')
})

t.test('control - every request, result and push has a schema, and every schema is used', async (t) => {
  const names = new Set(Object.keys(schemas))
  for (const shared of ['common', 'list.items']) t.ok(names.delete(shared), shared)
  for (const pushed of ['status', 'error', 'cancelled']) t.ok(names.delete(pushed), pushed)
  t.ok(names.delete('settle.result'))
  for (const type of Object.keys(FrameType)) {
    if (names.delete(`${type}.request`)) t.ok(names.delete(`${type}.result`), type)
  }
  t.same([...names], [])
})

t.test('control - the problem names the field, the option or the limit', async (t) => {
  const cases: readonly (readonly [ControlName, string, string, object, RegExp])[] = [
    ['consume', '{"consumer":1}', 'requestInvalid', { field: '' }, /consume must have required property 'queue'/],
    ['consume', '{"consumer":"1","queue":"q"}', 'requestInvalid', { field: 'consumer' }, /consume\.consumer must be integer/],
    ['list', '{"kind":"streams"}', 'requestInvalid', { field: 'kind' }, /list\.kind must be one of .*"queues"/],
    ['consume', '{"consumer":1,"queue":"q","prefech":1}', 'optionUnsupported', { option: 'prefech' }, /consume has no field 'prefech'/],
    [
      'hello',
      '{"client":{"product":1,"version":"1"}}',
      'requestInvalid',
      { field: 'client.product' },
      /hello\.client\.product must be string/,
    ],
    [
      'hello',
      '{"client":{"product":"p","version":"1","os":"x"}}',
      'optionUnsupported',
      { option: 'os' },
      /hello\.client has no field 'os'/,
    ],
    ['bindQueue', '{"queue":"q","exchange":"x","headers":{"a/b~c":[]}}', 'requestInvalid', {}, /headers/],
    ['open', '[]', 'requestInvalid', { field: '' }, /open must be object/],
    ['open', '', 'requestInvalid', {}, /open is not JSON/],
    ['open', 'nope', 'requestInvalid', {}, /open is not JSON/],
    ['declareQueue', `{"${'x'.repeat(1000)}":1}`, 'optionUnsupported', { option: `${'x'.repeat(64)}…` }, /^.{0,120}$/],
  ]
  for (const [name, text, code, details, message] of cases) {
    const { problem } = decode(name, text)
    t.match(problem, { code, message }, text)
    t.match(problem?.details ?? {}, details, text)
  }
  const bytes = Buffer.from('{"queue":"\xff"}', 'latin1')
  t.match(decodeControl('checkQueue', bytes, 0, bytes.length).problem, { code: 'requestInvalid', message: /not UTF-8/ })
})

t.test('control - names that mean something elsewhere are fields that are not known, or names like any other', async (t) => {
  for (const field of ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'valueOf']) {
    t.match(decode('declareQueue', `{"queue":"q","${field}":{"durable":false}}`).problem, {
      code: 'optionUnsupported',
      details: { option: field },
    })
    t.match(decode('checkQueue', `{"${field}":"q"}`).problem?.code, /requestInvalid|optionUnsupported/)
    const bound = decode('bindQueue', `{"queue":"${field}","exchange":"${field}","headers":{"${field}":1}}`)
    t.equal(JSON.stringify(bound.value), `{"queue":"${field}","exchange":"${field}","headers":{"${field}":1}}`)
  }
  t.equal(({} as { durable?: boolean }).durable, undefined)
})

t.test('control - nothing is filled in and nothing is changed', async (t) => {
  t.same(decode('declareQueue', '{}').value, {})
  t.same(decode('consume', '{"consumer":1,"queue":"q","prefetch":0}').value, { consumer: 1, queue: 'q', prefetch: 0 })
})

t.test('control - a body may stand anywhere in its bytes', async (t) => {
  const bytes = Buffer.from('xx{"consumer":7}yy')
  t.same(decodeControl('cancel', bytes, 2, bytes.length - 2), { value: { consumer: 7 } })
})

t.test('control - a body of deep nesting is refused, not fallen over', async (t) => {
  t.match(decode('open', '['.repeat(60_000)).problem?.code, 'requestInvalid')
  t.match(decode('open', `${'{"a":'.repeat(9_000)}1${'}'.repeat(9_000)}`).problem?.code, 'optionUnsupported')
  t.match(
    decode('bindQueue', `{"queue":"q","exchange":"x","headers":{"a":${'['.repeat(9000)}${']'.repeat(9000)}}}`).problem?.code,
    'requestInvalid',
  )
})

t.test('control - results are judged by the request that they answer', async (t) => {
  const result = (name: RequestName, text: string) => decodeResult(name, Buffer.from(text), 0, Buffer.byteLength(text))
  t.same(result('get', '{"found":true}'), { value: { found: true } })
  t.match(result('consume', '{"found":true}').problem, { code: 'optionUnsupported' })
  t.match(result('get', '{}').problem, { code: 'requestInvalid', message: /the result of get/ })
  const page = JSON.stringify({
    items: Array.from({ length: 1000 }, (_, i) => ({ source: `s${i}`, target: 't', kind: 'queue', key: '#' })),
  })
  t.ok(page.length > 50_000)
  t.equal(result('list', page).problem, undefined, 'a result may be larger than a request')
})

t.test('control - the body of an ERROR has the number of its name, and never the scope of a message', async (t) => {
  for (const name of Object.keys(ErrorCode) as ErrorName[]) {
    const body = errorBody(name, 'why', { limit: 'x' })
    t.equal(body.code, ErrorCode[name].code)
    t.equal(body.retryable, ErrorCode[name].retryable)
    t.equal(body.scope, ErrorCode[name].scope === 'message' ? 'request' : ErrorCode[name].scope)
    t.same(decode('error', JSON.stringify(body)), { value: body })
  }
  t.notOk('details' in errorBody('notFound', 'why'))
  t.equal(errorBody('forbidden', 'why', undefined, 'connection').scope, 'connection')
  t.equal(controlType('result'), 0x11)
})

function decode(name: ControlName, text: string): ReturnType<typeof decodeControl> {
  const bytes = Buffer.from(text)
  return decodeControl(name, bytes, 0, bytes.length)
}
