import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { syncTimes } from '../dist/disk-probe.js'

t.test('disk-probe - as many times as were asked for, all above zero, and no file is left', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'waybill-disk-probe-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  const times = syncTimes(directory, 5)
  t.equal(times.length, 5)
  t.ok(times.every((time) => time > 0))
  t.same(readdirSync(directory), [])
})
