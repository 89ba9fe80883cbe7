import t from 'tap'
import { encodeName, encodeText, isWellFormed, nameSizeMax, readText } from '@waybill/protocol'

t.test('text - limit nameSizeMax: a name of 255 bytes is encoded, one of 256 is not', async (t) => {
  t.equal(encodeName('n'.repeat(nameSizeMax)).length, 255)
  t.equal(encodeName(`${'é'.repeat(127)}a`).length, 255)
  for (const name of ['n'.repeat(256), 'é'.repeat(128), '€'.repeat(86)]) {
    t.throws(() => encodeName(name), { name: 'WireError', code: 'nameTooLong', details: { limit: 'nameSizeMax' } })
  }
})

t.test('text - half a surrogate pair is refused, never replaced', async (t) => {
  for (const text of ['\ud800', 'a\udfff', '\udc00\ud800', '\ud83d']) {
    t.notOk(isWellFormed(text))
    t.throws(() => encodeText(text, 'a word'), { code: 'messageMalformed', message: /a word/ })
    t.throws(() => encodeName(text), { code: 'messageMalformed' })
  }
  t.ok(isWellFormed('😀'))
})

t.test('text - what is written is read again, from a Buffer or any bytes', async (t) => {
  for (const text of ['', 'order.eu', 'grün', '\0', '😀', '\ufeffa', '__proto__']) {
    const bytes = encodeText(text, 'it')
    t.equal(readText(bytes, 0, bytes.length), text)
    const plain = new Uint8Array(bytes.length + 4)
    plain.set(bytes, 2)
    t.equal(readText(plain, 2, 2 + bytes.length), text)
  }
})
