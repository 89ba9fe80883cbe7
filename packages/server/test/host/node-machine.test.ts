import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { nodeMachine } from '../../dist/host/node-machine.js'

t.test('node machine - a directory that is not there yet will lie on the disk of the one above it', async (t) => {
  const size = nodeMachine.diskSize(tmpdir())
  t.ok(size! > 0)
  t.equal(nodeMachine.diskSize(join(tmpdir(), 'not', 'there', 'yet')), size)
})
