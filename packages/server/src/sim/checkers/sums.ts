/** What the broker has counted of a queue, beside what must have come of its messages. */
import type { Queue } from '../../broker/queues/queue.js'
import { expect } from '../failure.js'
import type { ExpectedQueue } from './queue.js'

/**
 * The broker's queue holds what must be there, and has counted what has become of the rest. `isRotten`: a bit of the disk has turned. False: the counts could
 * not be compared, for it is not known what has become of each message.
 */
export function checkAgainst(queue: ExpectedQueue, { liveCount, counters }: Queue, isRotten: boolean): boolean {
  const [least, most] = queue.liveRange()
  expect(liveCount >= least && liveCount <= most, 'counts', () => {
    const first = [...queue.live()].find((copy) => !copy.isUnsure)
    return `queue '${queue.name}' holds ${liveCount} messages, there must be ${least} to ${most}; the first of them is ${first?.message.name}`
  })
  expect(counters.lost === 0 || isRotten, 'lost', () => `queue '${queue.name}' misses ${counters.lost} messages that were in the log`)
  if (least !== most || !queue.isSure) return false
  const { ends, publishedCount: published, requeuedCount: requeued, retriedCount: retried } = queue
  const expected: Record<string, number> = {
    published,
    requeued,
    retried,
    acked: ends.acked,
    rejected: ends.rejected,
    purged: ends.purged,
  }
  for (const [name, count] of Object.entries(expected)) {
    const counted = (counters as unknown as Record<string, number>)[name]
    expect(counted === count, 'counts', () => `queue '${queue.name}' has counted ${counted} ${name}, it were ${count}`)
  }
  return true
}

/** Published = settled, in one way or another, or still there. */
export function checkSums({ name, ends, publishedCount, restoredCount, liveCount }: ExpectedQueue): void {
  const gone = ends.acked + ends.rejected + ends.purged + ends.deleted + ends.sent
  expect(
    publishedCount + restoredCount === gone + liveCount,
    'model',
    () => `queue '${name}': ${publishedCount} published, ${restoredCount} restored, ${gone} gone, ${liveCount} there`,
  )
}
