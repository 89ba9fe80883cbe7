import t from 'tap'
import { DeliveryBuffer } from '../../dist/consuming/delivery-buffer.js'
import type { Delivery } from '../../dist/consuming/message.js'

t.test('delivery buffer - first in, first out, through any growth', async (t) => {
  const buffer = new DeliveryBuffer()
  const item = (n: number): Delivery => n as unknown as Delivery
  let pushed = 0
  let shifted = 0
  for (let round = 1; round < 60; round++) {
    for (let i = 0; i < round; i++) buffer.push(item(pushed++))
    for (let i = 0; i < round / 2; i++) t.equal(buffer.shift(), item(shifted++))
    t.equal(buffer.count, pushed - shifted)
  }
  t.same(
    buffer.takeAll(),
    Array.from({ length: pushed - shifted }, (_, i) => shifted + i),
  )
  t.equal(buffer.shift(), undefined)
  t.equal(buffer.count, 0)
})
