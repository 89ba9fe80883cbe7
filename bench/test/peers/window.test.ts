import t from 'tap'
import { Window } from '../../dist/peers/window.js'

t.test('window - full at its size, ready again when half of it is answered', async (t) => {
  const window = new Window(4)
  window.sent(3)
  t.notOk(window.full)
  await window.ready()
  window.sent()
  t.ok(window.full)
  let isReady = false
  const ready = window.ready().then(() => {
    isReady = true
  })
  window.answered(null)
  await Promise.resolve()
  t.notOk(isReady, 'three are out')
  window.answered()
  await ready
  t.notOk(window.full)
})

t.test('window - empty when everything is answered, and those who wait for room go first', async (t) => {
  const window = new Window(2)
  await window.empty()
  window.sent(2)
  const order: string[] = []
  const waits = [window.empty().then(() => order.push('empty')), window.ready().then(() => order.push('ready'))]
  window.answer(1)
  window.answer(1)
  await Promise.all(waits)
  t.same(order, ['ready', 'empty'])
})

t.test('window - the first failure is what whoever waits is told', async (t) => {
  const window = new Window(10)
  window.sent(3)
  window.answer(1, new Error('the disk is full'))
  window.answer(1, new Error('closed'))
  window.answer(1)
  await t.rejects(window.empty(), { message: 'the disk is full' })
})
