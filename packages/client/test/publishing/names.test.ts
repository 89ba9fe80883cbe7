import t from 'tap'
import { EncodedNames } from '../../dist/publishing/names.js'

t.test('names - are encoded once while they are in use', async (t) => {
  const names = new EncodedNames()
  const first = names.get('grüße')
  t.same(Buffer.from(first), Buffer.from('grüße'))
  names.get('other')
  t.equal(names.get('grüße'), first)
})

t.test('names - a million keys are not kept, those in use are', async (t) => {
  const names = new EncodedNames()
  const used = names.get('used')
  const once = names.get('once')
  for (let i = 0; i < 100_000; i++) {
    names.get(`key-${i}`)
    if (i % 1_000 === 0) t.equal(names.get('used'), used, `after ${i}`)
  }
  t.not(names.get('once'), once, 'what was not asked for again has gone')
})

t.test('names - what is no name is a mistake', async (t) => {
  const names = new EncodedNames()
  t.throws(() => names.get(7 as unknown as string), { code: 'NAME_INVALID' })
  t.throws(() => names.get(undefined as unknown as string), { code: 'NAME_INVALID' })
  t.throws(() => names.get('x'.repeat(256)), { code: 'NAME_INVALID', message: /255/ })
  t.throws(() => names.get('\ud800'), { code: 'NAME_INVALID' })
  t.equal(names.get('é'.repeat(127)).length, 254)
  t.equal(names.get('').length, 0)
})
