/** `npm run bench -- micro [name]`: the hot rooms of the broker, each alone. */
import { table } from '../report.js'
import { median } from '../statistics.js'
import { frameRooms } from './frames.js'
import { queueRooms } from './queues.js'
import { type Room, type Timing, timeRoom } from './room.js'
import { routingRooms } from './routing.js'

export const rooms: readonly Room[] = [...frameRooms, ...routingRooms, ...queueRooms]

export const fullRounds: Timing = { rounds: 5, roundMs: 300 }

/** A table of all rooms whose name begins with `prefix`. */
export function microReport(prefix: string, timing: Timing): string {
  const rows = rooms
    .filter((room) => room.name.startsWith(prefix))
    .map((room) => {
      const times = timeRoom(room, timing)
      return { room, ns: median(times), range: `${Math.min(...times).toFixed(1)}–${Math.max(...times).toFixed(1)}` }
    })
  return table(
    [
      { title: 'room', cell: (row) => row.room.name },
      { title: 'ns', cell: (row) => row.ns.toFixed(1) },
      { title: 'range', cell: (row) => row.range },
      { title: 'for', cell: (row) => row.room.operation },
    ],
    rows,
  )
}
