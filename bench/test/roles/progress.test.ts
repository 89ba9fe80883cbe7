import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { Progress, ProgressReporter } from '../../dist/roles/progress.js'

t.test('progress - the producer learns the last count, and an eighth of the lead lies between reports', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'waybill-progress-'))
  let count = 0
  t.teardown(() => rmSync(directory, { recursive: true }))
  const reporter = await ProgressReporter.listen(join(directory, 'progress'), 160, () => count)
  t.teardown(() => reporter.close())
  const progress = await Progress.connect(join(directory, 'progress'))

  t.equal(reporter.next, 20)
  count = 12
  reporter.report(count)
  t.equal(reporter.next, 32)
  while (progress.count < 12) await progress.changed()
  while (count < 1_000) reporter.report(++count)
  while (progress.count < 1_000) await progress.changed()
  t.equal(progress.count, 1_000)
})

t.test('progress - what is left of a burst is reported by time', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'waybill-progress-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  let count = 0
  const reporter = await ProgressReporter.listen(join(directory, 'progress'), 160, () => count)
  t.teardown(() => reporter.close())
  const progress = await Progress.connect(join(directory, 'progress'))
  count = 3
  await progress.changed()
  t.equal(progress.count, 3)
})
