import t from 'tap'
import { definedMask, encodeProperties, type Properties, propertyTable, supportedMask, wrongProperty } from '@waybill/protocol'
import { readSpec } from './spec.js'

t.test('properties - the table is that of clause 3.4, and what is not built that of 3.5', async (t) => {
  const cells = [...readSpec('protocol.md').matchAll(/\| (\d+) \| (\w+) \| (str8|u8|u64)[^|]*(?=\|)/g)]
  const ofClause = cells.map(([, bit, name, form]) => ({ bit: Number(bit), name, form })).sort((a, b) => a.bit - b.bit)
  t.same(
    ofClause,
    propertyTable.map(({ name, form }, bit) => ({ bit, name, form })),
  )
  t.same(
    propertyTable.flatMap(({ supported }, bit) => (supported ? [] : [bit])),
    [8, 9, 10, 11, 12, 13],
  )
  t.equal(definedMask, 0xffff)
  t.equal(supportedMask, 0xc0ff)
})

t.test('properties - what is not carried out or not known is refused by name', async (t) => {
  for (const { name, form, supported } of propertyTable) {
    const properties = { [name]: form === 'str8' ? 'x' : 1 }
    if (supported) t.equal(encodeProperties(properties).mask, 1 << propertyTable.findIndex((each) => each.name === name))
    else t.throws(() => encodeProperties(properties), { code: 'propertyUnsupported', details: { property: name } }, name)
  }
  for (const name of ['contenttype', 'toString', '__proto__', 'constructor']) {
    const properties = Object.fromEntries([[name, 'x']]) as Properties
    t.throws(() => encodeProperties(properties), { code: 'propertyUnsupported', details: { property: name } }, name)
  }
})

t.test('properties - values of another kind are refused, undefined is left out', async (t) => {
  t.equal(encodeProperties({ contentType: undefined }).mask, 0)
  for (const properties of [
    { contentType: 1 },
    { type: null },
    { timestamp: '1' },
    { timestamp: -1 },
    { timestamp: 1.5 },
    { timestamp: 2 ** 53 },
    { timestamp: Number.NaN },
    { appId: '\ud800' },
  ]) {
    t.throws(() => encodeProperties(properties as Properties), { code: 'messageMalformed' }, JSON.stringify(properties))
  }
  t.equal(encodeProperties({ timestamp: 2 ** 53 - 1 }).bytes.length, 8)
})

t.test('properties - they stand in the order of their bits, whatever the order of the object', async (t) => {
  const { mask, bytes } = encodeProperties({ timestamp: 1, type: 'b', contentType: 'a' })
  t.equal(mask, 0b10100001)
  t.equal(Buffer.from(bytes).toString('hex'), '016101620000000000000001')
})

t.test('properties - the one that is wrong is named', async (t) => {
  const bytes = Buffer.from('0161ff', 'hex')
  t.equal(wrongProperty(bytes, 0, 2, 0b1), -1, 'good')
  t.equal(wrongProperty(bytes, 0, 3, 0b1), 32, 'bytes are left')
  t.equal(wrongProperty(bytes, 0, 3, 0b11), 1, 'the second is cut')
  t.equal(wrongProperty(bytes, 0, 2, 0b11), 1, 'the second is missing')
  t.equal(wrongProperty(bytes, 1, 2, 0b1), 0)
})
