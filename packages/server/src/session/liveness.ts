// Hot in `partial` and in the two times; plain otherwise.
/**
 * The times of one connection: the handshake is over in time, a frame that has begun is whole in time, a sign of life comes and goes in
 * time, and a connection that is being closed is closed. [P-7]
 *
 *     opening ── handshakeMs ─▶ time up        open ── heartbeatMs ─▶ HEARTBEAT, or given up        closing ── lingerMs ─▶ cut
 *
 * At most two timers a connection, however often bytes come: a timer that is due too early goes to sleep again for the rest.
 *
 * Before anybody is given up for silence the socket is read once more (`lastLook`): this process may have been the one that was
 * silent, and the bytes may lie there. Time in which it stood still is not counted against the others.
 */
import type { Timed, Timers } from '../broker/timers/timed.js'
import type { Intake } from './intake.js'
import type { ReadGate } from './read-gate.js'

export interface LivenessHome {
  /** Frames read so far. */
  readonly frameCount: number
  readonly intake: Pick<Intake, 'partialSize'>
  readonly gate: Pick<ReadGate, 'isClosed'>
  handshakeTimedOut(): void
  frameTimedOut(): void
  sendHeartbeat(): void
  heartbeatTimedOut(silentMs: number): void
  lingeredTooLong(): void
}

export interface LivenessLimits {
  readonly handshakeMs: number
  readonly frameMs: number
}

/** A timer this late means that the process stood still. */
const stallMs = 1_000
const lastLookMs = 1

const Clock = { stage: 0, frame: 1 } as const

export class Liveness implements Timed {
  /** When the last byte came, and when the last one was sent. */
  receivedAt: number
  sentAt: number
  /** 0: no heartbeats. */
  heartbeatMs = 0
  readonly #home: LivenessHome
  readonly #timers: Timers
  readonly #limits: LivenessLimits
  #stage: 'opening' | 'open' | 'closing' = 'opening'
  #timer: number
  #dueAt: number
  #hasLooked = false
  #frameTimer = 0
  #partialFrame = -1
  #partialSince = 0

  /** `startedAt`: when the connection came, which may be before it got here. */
  constructor(home: LivenessHome, timers: Timers, limits: LivenessLimits, startedAt: number, now: number) {
    this.#home = home
    this.#timers = timers
    this.#limits = limits
    this.receivedAt = this.sentAt = now
    this.#dueAt = startedAt + limits.handshakeMs
    this.#timer = timers.insert(this.#dueAt, this, Clock.stage)
  }

  /** The handshake is over. */
  opened(heartbeatMs: number, now: number): void {
    this.#stage = 'open'
    this.heartbeatMs = heartbeatMs
    this.receivedAt = this.sentAt = now
    this.#hasLooked = false
    this.#disarm()
    if (heartbeatMs > 0) this.#arm(now + heartbeatMs / 2)
  }

  /** A frame has begun and is not whole. */
  partial(now: number): void {
    if (this.#partialFrame === this.#home.frameCount) return
    this.#partialFrame = this.#home.frameCount
    this.#partialSince = now
    if (this.#frameTimer === 0) this.#frameTimer = this.#timers.insert(now + this.#limits.frameMs, this, Clock.frame)
  }

  /** Everything has been said; the other end has this long to take it. */
  closing(lingerMs: number, now: number): void {
    this.stop()
    this.#stage = 'closing'
    this.#arm(now + lingerMs)
  }

  stop(): void {
    this.#disarm()
    if (this.#frameTimer !== 0) this.#timers.cancel(this.#frameTimer)
    this.#frameTimer = 0
  }

  due(value: number, now: number): void {
    if (value === Clock.frame) {
      this.#frameTimer = 0
      this.#frameDue(now)
      return
    }
    this.#timer = 0
    switch (this.#stage) {
      case 'opening':
        if (this.#looksAgain(now)) return
        this.#home.handshakeTimedOut()
        return
      case 'open':
        this.#heartbeatDue(now)
        return
      case 'closing':
        this.#home.lingeredTooLong()
    }
  }

  #frameDue(now: number): void {
    if (this.#home.intake.partialSize === 0 || this.#home.frameCount !== this.#partialFrame) return
    // It is not read for a reason of ours: the rest may have come.
    if (this.#home.gate.isClosed) this.#partialSince = now
    const dueAt = this.#partialSince + this.#limits.frameMs
    if (now < dueAt) this.#frameTimer = this.#timers.insert(dueAt, this, Clock.frame)
    else if (now - dueAt > stallMs) {
      this.#partialSince = now - this.#limits.frameMs + lastLookMs
      this.#frameTimer = this.#timers.insert(now + lastLookMs, this, Clock.frame)
    } else this.#home.frameTimedOut()
  }

  #heartbeatDue(now: number): void {
    const { heartbeatMs } = this
    const lateMs = now - this.#dueAt
    if (this.#home.gate.isClosed) this.receivedAt = now
    else if (lateMs > stallMs) this.receivedAt = Math.min(now, this.receivedAt + lateMs)
    if (now - this.sentAt >= heartbeatMs / 2) {
      this.#home.sendHeartbeat()
      this.sentAt = now
    }
    if (now - this.receivedAt < 2 * heartbeatMs) this.#hasLooked = false
    else if (this.#looksAgain(now)) return
    else {
      this.#home.heartbeatTimedOut(2 * heartbeatMs)
      return
    }
    this.#arm(Math.min(this.sentAt + heartbeatMs / 2, this.receivedAt + 2 * heartbeatMs))
  }

  /** True the first time: the loop reads all sockets before the time is up for good. */
  #looksAgain(now: number): boolean {
    if (this.#hasLooked) return false
    this.#hasLooked = true
    this.#arm(now + lastLookMs)
    return true
  }

  #arm(at: number): void {
    this.#dueAt = Math.ceil(at)
    this.#timer = this.#timers.insert(this.#dueAt, this, Clock.stage)
  }

  #disarm(): void {
    if (this.#timer !== 0) this.#timers.cancel(this.#timer)
    this.#timer = 0
  }
}
