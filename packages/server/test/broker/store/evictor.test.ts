import t from 'tap'
import { pageSize } from '../../../dist/broker/queues/page.js'
import { Evictor } from '../../../dist/broker/store/evictor.js'
import { PagedRecorder } from '../../storage/paged-recorder.js'

const MiB = 2 ** 20

/** A broker with queues of so many pages of 1,000 bytes a message, and one message more; and an evictor that is told how much of 1 GiB is used. */
function withPages(
  pages: Readonly<Record<string, number>>,
  persistent = true,
): { recorder: PagedRecorder; step: (used: number, now?: number) => boolean } {
  const recorder = new PagedRecorder({ memorySize: 2 ** 40 })
  for (const [name, count] of Object.entries(pages)) {
    recorder.queue(name)
    for (let i = 0; i <= count * pageSize; i++) recorder.publish('', name, 'x'.repeat(980), undefined, persistent)
  }
  recorder.turn()
  let used = 0
  const evictor = new Evictor({ memorySize: 1_024 * MiB, usedSize: () => used, queues: () => recorder.broker.queues() })
  return {
    recorder,
    step(usedNow, now = 0) {
      used = usedNow
      return evictor.step(now)
    },
  }
}

function coldCounts(recorder: PagedRecorder): Record<string, number> {
  return Object.fromEntries([...recorder.host.queues.values()].map(({ name, coldCount }) => [name, coldCount]))
}

t.test('evictor - nothing goes as long as little is used', async (t) => {
  const { recorder, step } = withPages({ q: 3 })
  t.notOk(step(80 * MiB))
  t.same(coldCounts(recorder), { q: 0 })
})

t.test('evictor - then messages go that nobody consumes; those of a queue that is consumed are near', async (t) => {
  const { recorder, step } = withPages({ idle: 3, busy: 3 })
  recorder.consume('busy', { prefetch: 0 })
  t.notOk(step(100 * MiB), 'there is no more to be done')
  t.same(coldCounts(recorder), { idle: 3, busy: 0 })
})

t.test('evictor - with half of the memory used, a queue that is consumed keeps the next 4 MiB', async (t) => {
  const { recorder, step } = withPages({ busy: 20 })
  recorder.consume('busy', { prefetch: 0 })
  step(600 * MiB)
  const { busy } = coldCounts(recorder)
  t.ok(busy! >= 14 && busy! <= 16, `${busy} of 20 pages went`)
})

t.test('evictor - with three quarters used, it keeps the page that comes next', async (t) => {
  const { recorder, step } = withPages({ busy: 5, idle: 0.2 })
  recorder.consume('busy', { prefetch: 0 })
  step(800 * MiB)
  t.same(coldCounts(recorder), { busy: 4, idle: 1 }, 'and ends a page that is being filled if it is worth it')
})

t.test('evictor - a step takes 64 pages at most, and asks for another', async (t) => {
  const { recorder, step } = withPages({ q: 70 })
  t.ok(step(100 * MiB))
  t.same(coldCounts(recorder), { q: 64 })
  t.notOk(step(100 * MiB))
  t.same(coldCounts(recorder), { q: 70 })
})

t.test('evictor - messages that are not kept stay, and are not looked for all the time', async (t) => {
  const { recorder, step } = withPages({ q: 2 }, false)
  t.notOk(step(1_000 * MiB))
  recorder.queue('r')
  for (let i = 0; i < 2 * pageSize; i++) recorder.publish('', 'r', 'x', undefined, true)
  recorder.turn()
  step(1_000 * MiB, 9)
  t.same(coldCounts(recorder), { q: 0, r: 0 })
  step(1_000 * MiB, 10)
  t.same(coldCounts(recorder), { q: 0, r: 2 })
})
