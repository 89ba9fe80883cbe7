/**
 * Slows down the guessing of passwords: after five failures for one user from one address, a further try is refused without
 * being looked at until some time has passed; that time doubles with each failure, and a success ends it. Told the time.
 *
 *     failures    5      6      7      8      9      10     11 …
 *     wait        0.1    0.2    0.4    0.8    1.6    3.2    5 s
 *
 * Bounded: the pairs that failed least recently are forgotten first.
 */
import { LRUCache } from 'lru-cache'

interface Failures {
  count: number
  lastAt: number
}

const freeCount = 5
const waitFirstMs = 100
const waitMaxMs = 5_000
/** Failures are forgotten after this long without another. */
const forgetMs = 600_000

export class LoginThrottle {
  readonly #failures: LRUCache<string, Failures>

  constructor(options: { readonly pairCountMax?: number } = {}) {
    this.#failures = new LRUCache({ max: options.pairCountMax ?? 10_000 })
  }

  /** How many pairs of address and user it remembers. */
  get size(): number {
    return this.#failures.size
  }

  /** Milliseconds until this user may be tried again from this address; 0: now. */
  waitMs(address: string, user: string, now: number): number {
    const failures = this.#failures.get(pairOf(address, user))
    if (failures === undefined || failures.count < freeCount || now - failures.lastAt >= forgetMs) return 0
    const wait = Math.min(waitMaxMs, waitFirstMs * 2 ** (failures.count - freeCount))
    return Math.max(0, failures.lastAt + wait - now)
  }

  failed(address: string, user: string, now: number): void {
    const pair = pairOf(address, user)
    const failures = this.#failures.get(pair)
    if (failures === undefined || now - failures.lastAt >= forgetMs) this.#failures.set(pair, { count: 1, lastAt: now })
    else {
      failures.count++
      failures.lastAt = now
    }
  }

  succeeded(address: string, user: string): void {
    this.#failures.delete(pairOf(address, user))
  }
}

/** An address has no space in it. */
function pairOf(address: string, user: string): string {
  return `${address} ${user}`
}
