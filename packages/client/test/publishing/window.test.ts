import t from 'tap'
import type { Origin } from '../../dist/publishing/origin.js'
import { Window } from '../../dist/publishing/window.js'

const origin = {} as Origin

t.test('window - grows without losing or mixing anything, wherever it has got to', async (t) => {
  for (const before of [0, 1, 63, 64, 100]) {
    const window = new Window(true)
    for (let i = 0; i < before; i++) window.push(origin, 0, '', 0, 0, 0, undefined)
    for (; window.first < window.next; window.first++) window.forget(window.first & window.mask)
    const first = window.next
    for (let i = 0; i < 1_000; i++) window.push(origin, i, `k${i}`, i * 2, i * 3, i & 0xff, Buffer.from([i & 0xff]))
    t.equal(window.count, 1_000)
    for (let i = 0; i < 1_000; i++) {
      const slot = (first + i) & window.mask
      const { numbers, keys, sizes, deadlines, flags, records, origins } = window
      const there = [origins[slot] === origin, numbers[slot], keys[slot], sizes[slot], deadlines[slot], flags[slot], records?.[slot]?.[0]]
      if (JSON.stringify(there) !== JSON.stringify([true, i, `k${i}`, i * 2, i * 3, i & 0xff, i & 0xff])) t.fail(`slot of ${i}: ${there}`)
    }
  }
})

t.test('window - after a reset sequences begin again and nothing is held', async (t) => {
  const window = new Window(true)
  for (let i = 0; i < 200; i++) window.push(origin, i, 'k', 1, 1, 2, Buffer.alloc(1))
  window.reset()
  t.equal(window.first, 1)
  t.equal(window.next, 1)
  t.ok(window.origins.every((each) => each === undefined))
  t.ok(window.records?.every((each) => each === undefined))
  t.ok(window.keys.every((key) => key === ''))
})
