import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { syncTimes } from '../dist/disk-probe.js'

t.test('disk-probe - as many times as were asked for, all above zero, and no file is left', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'waybill-disk-probe-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  const times = [...(await syncTimes(directory, 5)), ...(await syncTimes(directory, 3, 1))]
  t.equal(times.length, 8)
  t.ok(times.every((time) => time > 0))
  t.same(readdirSync(directory), [])
})
