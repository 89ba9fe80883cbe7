/** What blocks say, as words. */
import { readEntries, routeQueue, routeQueueCount } from '../../dist/storage/entries.js'
import type { RecordingLog } from './recording-log.js'

/** Each entry of a block. */
export function wordsOf(block: Uint8Array): string[] {
  const words: string[] = []
  readEntries(block, {
    route(bytes, from, to) {
      const queues = Array.from({ length: routeQueueCount(from, to) }, (_, i) => routeQueue(bytes, from, i))
      words.push(`route ${queues.join('+')}`)
    },
    run: (firstId, route, count, isMoved, bytes, from, to) =>
      words.push(`${isMoved ? 'moved' : 'run'} ${firstId}x${count} by ${route} ${Buffer.from(bytes.subarray(from, to)).toString()}`),
    gone: (queue, first, last, count, size) => words.push(`gone ${queue}: ${first}-${last} x${count} ${size}`),
    topology: (json) => words.push(json),
    ids: (next) => words.push(`ids ${next}`),
    drop: (segment) => words.push(`drop ${segment}`),
  })
  return words
}

/** A line for each block of a log: whether it asks for a sync, and what it says. */
export function said(log: RecordingLog): string[] {
  return log.appended.map(({ bytes, need }) => `${need}: ${wordsOf(bytes).join(', ')}`)
}
