/** A queue that nobody uses goes when its time is over: not before, and before as much again has gone by. */
import { expect } from '../failure.js'
import type { Tally } from '../tally.js'
import type { ExpectedNames } from './names.js'
import type { ExpectedQueue } from './queue.js'

export interface ExpiryHome {
  readonly names: ExpectedNames
  readonly tally: Tally
  readonly now: number
  dropQueue(queue: ExpectedQueue): void
}

/** `isThere`: whether the broker has a queue of this name. */
export function checkExpiry(home: ExpiryHome, isThere: (name: string) => boolean): void {
  const { names, tally, now } = home
  for (const queue of [...names.queues.values()]) {
    const { expiresMs } = queue.options
    if (expiresMs === undefined) continue
    const unusedMs = queue.consumers.size > 0 ? 0 : now - queue.usedAt
    if (isThere(queue.name))
      expect(unusedMs <= 2 * expiresMs + 1, 'expiry', () => `queue '${queue.name}' has been unused for ${unusedMs} ms`)
    else {
      expect(unusedMs >= expiresMs, 'expiry', () => `queue '${queue.name}' is gone after ${unusedMs} ms without use, not ${expiresMs}`)
      home.dropQueue(queue)
      tally.count('queues expired')
    }
  }
}

/** Those whose time is over. */
export function expired({ names, now }: ExpiryHome): readonly ExpectedQueue[] {
  return [...names.queues.values()].filter(
    ({ options: { expiresMs = Infinity }, consumers, usedAt }) => consumers.size === 0 && now - usedAt >= expiresMs,
  )
}
