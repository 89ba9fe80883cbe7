/** The index of a queue: a message in, taken, settled; and what timers cost beside it. */
import { Lane } from '../../../packages/server/dist/broker/queues/lane.js'
import { PagePool } from '../../../packages/server/dist/broker/queues/page.js'
import { TimerWheel } from '../../../packages/server/dist/broker/timers/wheel.js'
import { randomOf } from '../topics.js'
import type { Room } from './room.js'

const batch = 1_000

const laneRooms: readonly Room[] = [0, 1_000_000].map((depth) => ({
  name: `queue-index-${depth}`,
  operation: `push, take and settle of a message, ${depth} waiting`,
  prepare() {
    const lane = new Lane(new PagePool())
    for (let index = 0; index < depth; index++) lane.push(1, index, 100, index, 0)
    let id = depth
    return () => {
      for (let index = 0; index < batch; index++) {
        lane.push(1, index, 100, id++, 0)
        const place = lane.firstReady()
        lane.take(place)
        lane.remove(place)
      }
      if (lane.liveCount !== depth) throw new Error(`${depth} messages expected in the lane, ${lane.liveCount} are there`)
      return batch
    }
  },
}))

const timerRoom: Room = {
  name: 'timer-wheel',
  operation: 'insert and cancel of a timer, 100,000 waiting',
  prepare() {
    const wheel = new TimerWheel<undefined>(0)
    const random = randomOf(1)
    const delays = Array.from({ length: batch }, () => 1 + Math.floor(random() * 60_000))
    for (let index = 0; index < 100_000; index++) wheel.insert(1 + random() * 60_000, undefined, index)
    const waiting = wheel.size
    const ids = new Int32Array(batch)
    return () => {
      for (let index = 0; index < batch; index++) ids[index] = wheel.insert(delays[index] as number, undefined, index)
      for (let index = 0; index < batch; index++) wheel.cancel(ids[index] as number)
      if (wheel.size !== waiting) throw new Error('a timer was lost')
      return batch
    }
  },
}

export const queueRooms: readonly Room[] = [...laneRooms, timerRoom]
