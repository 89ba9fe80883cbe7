import t from 'tap'
import { nodeClock } from '../../dist/host/node-clock.js'
import { nodeEntropy } from '../../dist/host/node-entropy.js'

t.test('node clock - what is asked for soon runs once, behind what the loop has to do', async (t) => {
  const clock = nodeClock()
  const ran: string[] = []
  await new Promise<void>((resolve) => {
    clock.soon(() => ran.push('first'))
    clock.soon(() => {
      ran.push('second')
      resolve()
    })
    t.same(ran, [])
  })
  t.same(ran, ['second'], 'asking twice is asking once')
  await new Promise<void>((resolve) => clock.soon(resolve))
})

t.test('node clock - there is one timer: arming again replaces it, Infinity takes it away', async (t) => {
  const clock = nodeClock()
  const due: string[] = []
  clock.arm(clock.now() + 1, () => due.push('replaced'))
  await new Promise<void>((resolve) => {
    const at = clock.now() + 20
    clock.arm(at, () => {
      t.ok(clock.now() >= at - 1)
      resolve()
    })
  })
  clock.arm(clock.now() + 1, () => due.push('taken away'))
  clock.arm(Number.POSITIVE_INFINITY, () => undefined)
  await new Promise((resolve) => setTimeout(resolve, 20))
  t.same(due, [])
})

t.test('node clock - its times are whole milliseconds', async (t) => {
  const clock = nodeClock()
  t.equal(clock.now(), Math.floor(clock.now()))
  t.ok(clock.wall() > 1.7e12)
})

t.test('node entropy - names of the size asked for, of letters and digits, that do not come twice', async (t) => {
  const names = new Set(Array.from({ length: 1_000 }, () => nodeEntropy.name(20)))
  t.equal(names.size, 1_000)
  for (const name of names) t.match(name, /^[a-z0-9]{20}$/) || t.bailout()
  t.equal(nodeEntropy.name(0), '')
  const counts = new Map<string, number>()
  for (const letter of nodeEntropy.name(36_000)) counts.set(letter, (counts.get(letter) ?? 0) + 1)
  t.equal(counts.size, 36)
  t.ok(
    [...counts.values()].every((count) => count > 800 && count < 1_200),
    'each as often as the others',
  )
  const draws = Array.from({ length: 100 }, () => nodeEntropy.random())
  t.ok(draws.every((draw) => draw >= 0 && draw < 1))
})
