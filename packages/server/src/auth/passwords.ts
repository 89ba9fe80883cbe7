/**
 * Passwords as salted scrypt hashes, and the checking of them:
 *
 *     scrypt$32768$8$1$<salt>$<hash>          N, r, p; salt and hash in base64
 *
 * Whether there is such a user cannot be told by time: without a stored hash the password is hashed all the same, with the cost of
 * a real one. At most two are hashed at a time, so that a flood of logins leaves the loop and its thread pool to others; those
 * that wait are bounded, and one that nobody waits for any more is not hashed at all.
 */
import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto'
import type { Secret } from './secret.js'

export interface PasswordHash {
  /** scrypt's N: a power of two. Time and memory grow with it. */
  readonly cost: number
  /** scrypt's r. A hash takes 128 · N · r bytes of memory. */
  readonly blockSize: number
  /** scrypt's p. */
  readonly parallelization: number
  readonly salt: Uint8Array
  readonly hash: Uint8Array
}

/** `busy`: too many are waiting; nothing was checked. */
export type PasswordOutcome = 'match' | 'mismatch' | 'busy'

/** Hashes a password as `like` was hashed, to as many bytes; by scrypt, or by something quick and repeatable in a simulation. */
export type Derive = (password: string, like: PasswordHash) => Promise<Uint8Array>

export interface PasswordCheckerOptions {
  readonly derive?: Derive
  /** How many are hashed at a time: 2. */
  readonly atOnceMax?: number
  /** How many more may wait: 64. */
  readonly waitingMax?: number
}

/** About 80 ms and 32 MiB each. */
export const defaultCost = 32_768
const defaultBlockSize = 8
const saltSize = 16
const hashSize = 32
/** Dearer hashes are refused: a stored one decides how much memory a login takes. */
const hashMemoryMax = 256 << 20

export class PasswordChecker {
  readonly #derive: Derive
  readonly #atOnceMax: number
  readonly #waitingMax: number
  readonly #waiting: (() => void)[] = []
  #runningCount = 0

  constructor(options: PasswordCheckerOptions = {}) {
    this.#derive = options.derive ?? deriveByScrypt
    this.#atOnceMax = options.atOnceMax ?? 2
    this.#waitingMax = options.waitingMax ?? 64
  }

  get runningCount(): number {
    return this.#runningCount
  }

  get waitingCount(): number {
    return this.#waiting.length
  }

  /**
   * Compares a password with a stored hash. `decoy` is taken when there is none: the outcome is then a mismatch, as late as
   * a real one. `isWanted` is asked when its turn has come.
   */
  async check(password: Secret, stored: PasswordHash | undefined, decoy: PasswordHash, isWanted = () => true): Promise<PasswordOutcome> {
    if (this.#runningCount < this.#atOnceMax) this.#runningCount++
    else {
      if (this.#waiting.length >= this.#waitingMax) return 'busy'
      await new Promise<void>((start) => this.#waiting.push(start))
    }
    try {
      if (!isWanted()) return 'busy'
      const expected = stored ?? decoy
      const derived = await this.#derive(password.reveal(), expected)
      return timingSafeEqual(derived, expected.hash) && stored !== undefined ? 'match' : 'mismatch'
    } finally {
      const next = this.#waiting.shift()
      if (next === undefined) this.#runningCount--
      else next()
    }
  }
}

/** The hash of a new password, as it stands in a configuration. */
export async function hashPassword(password: string, options: { cost?: number; derive?: Derive } = {}): Promise<string> {
  const like = decoyLike(undefined, options.cost)
  const hash = await (options.derive ?? deriveByScrypt)(password, like)
  const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64')
  return `scrypt$${like.cost}$${like.blockSize}$${like.parallelization}$${base64(like.salt)}$${base64(hash)}`
}

/** A stored hash, or what is wrong with it. */
export function parsePasswordHash(text: string): PasswordHash | string {
  const match = /^scrypt\$(\d{1,10})\$(\d{1,4})\$(\d{1,4})\$([A-Za-z0-9+/]+={0,2})\$([A-Za-z0-9+/]+={0,2})$/.exec(text)
  if (match === null) return 'it is not of the form scrypt$N$r$p$salt$hash'
  const [cost, blockSize, parallelization] = [Number(match[1]), Number(match[2]), Number(match[3])]
  const [salt, hash] = [Buffer.from(match[4]!, 'base64'), Buffer.from(match[5]!, 'base64')]
  if (cost < 2 || (cost & (cost - 1)) !== 0) return 'its N is not a power of two'
  if (blockSize < 1 || parallelization < 1 || parallelization > 16) return 'its r or p is out of range'
  if (128 * cost * blockSize > hashMemoryMax) return `it takes more than ${hashMemoryMax >> 20} MiB of memory to check`
  if (salt.length < 8 || hash.length < 16 || hash.length > 64) return 'its salt or hash is too short or too long'
  return { cost, blockSize, parallelization, salt, hash }
}

/** A random hash, as dear to check as `hash`: no password has it. */
export function decoyLike(hash: PasswordHash | undefined, cost = defaultCost): PasswordHash {
  return {
    cost: hash?.cost ?? cost,
    blockSize: hash?.blockSize ?? defaultBlockSize,
    parallelization: hash?.parallelization ?? 1,
    salt: randomBytes(hash?.salt.length ?? saltSize),
    hash: randomBytes(hash?.hash.length ?? hashSize),
  }
}

/** The same text typed on two systems may differ in code points; its normal form does not. */
const deriveByScrypt: Derive = (password, { cost, blockSize, parallelization, salt, hash }) =>
  new Promise((resolve, reject) => {
    const options = { cost, blockSize, parallelization, maxmem: 128 * blockSize * (cost + parallelization + 3) }
    scrypt(password.normalize('NFC'), salt, hash.length, options, (error, key) => (error === null ? resolve(key) : reject(error)))
  })
