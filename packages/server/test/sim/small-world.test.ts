// The world of the scenarios: when a checker finds something wrong, or what a test waits for does not come, the test fails and does not hang.
import t from 'tap'
import { SmallWorld } from './small-world.js'

const data = { segmentSize: 64 << 10, snapshotEvery: 1 << 20, spareCount: 0, syncMs: { least: 20, most: 20 }, coldShare: 0 }

t.test('small world - what a checker finds wrong while the broker opens is thrown where the test waits for the broker', async (t) => {
  const world = new SmallWorld({ data })
  await world.up()
  world.broker.checkers.restored = () => {
    throw new Error('a checker is wrong')
  }
  await t.rejects(world.restart('kill'), /a checker is wrong/)
})

t.test('small world - who waits for what never comes is told so, though timers go on for ever', async (t) => {
  const world = new SmallWorld({ data })
  await world.up()
  t.throws(() => world.until(() => false), /has not come in/)
  await t.rejects(world.kept(new Promise(() => undefined)), /has not come in/)
})
