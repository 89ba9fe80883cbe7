import t from 'tap'
import { microReport, rooms } from '../../dist/micro/micro.js'
import { timeRoom } from '../../dist/micro/room.js'

const brief = { rounds: 1, roundMs: 1 }

for (const room of rooms) {
  t.test(`micro - ${room.name} still does what it times`, async (t) => {
    const [ns] = timeRoom(room, brief)
    t.ok(ns !== undefined && ns > 0 && Number.isFinite(ns))
  })
}

t.test('micro - the report has a row for each room whose name begins so', async (t) => {
  const lines = microReport('topic-trie-1', brief).split('\n')
  t.equal(lines.length, 2 + rooms.filter((room) => room.name.startsWith('topic-trie-1')).length)
})
