/**
 * The connection as a program sees it: one thing that lasts, over links that do not.
 *
 *     connecting ─▶ connected ─ lost ─▶ reconnecting ─┬─▶ restoring ─▶ connected
 *          │                                 ▲         │       └ lost again ┐
 *          │                                 └─────────┴────────────────────┘
 *          └─ refused, time is up ─▶ closed ◀─ attempts used up, refused, close()
 *
 * A round tries every host once; between rounds it waits, longer each time. Restoring opens the
 * channels, declares the topology, then the consumers with their windows, then lets publishing go on.
 *
 * Invariant: `link` is set exactly while calls may go out: after everything has been restored, until the loss.
 */
import type { RequestName, ResultBodies, StatusBody } from '@waybill/protocol'
import type { Clock } from '../clock.js'
import { type ChannelConsumer, refusedEnd } from '../consuming/consumer.js'
import { asWaybillError, WaybillError } from '../errors.js'
import type { Log } from '../log.js'
import type { OutboxRules } from '../publishing/outbox.js'
import { ChannelCore, type CoreHome } from '../session/channel-core.js'
import { Link, type LinkHome } from '../session/link.js'
import { onAbort } from '../signals.js'
import type { Transport } from '../transport/transport.js'
import type { Status } from '../types.js'
import { hostOf, type Target } from '../url.js'
import { helloOf } from './greeting.js'
import { type LockedHome, LockedQueues } from './locked-queues.js'
import { OnlineWaiters } from './online-waiters.js'
import type { ConnectSettings } from './options.js'
import { Pauses } from './pauses.js'
import { closedError, connectError, offlineError, refusals } from './refusals.js'
import { type Connected, Reporter } from './reporter.js'
import { answerMsMax, lockedQueues, restoreAll, restoreChannel, restoreQueue } from './restore.js'
import { Topology } from './topology.js'

export class Lifeline implements LinkHome, CoreHome {
  readonly clock: Clock
  readonly log: Log
  readonly settings: ConnectSettings
  readonly topology = new Topology()
  /** The live connection, when everything on it has been restored. */
  link: Link | undefined

  readonly #targets: readonly Target[]
  readonly #transportOf: (target: Target) => Transport
  readonly #rules: OutboxRules
  readonly #channels = new Map<number, ChannelCore>()
  readonly #reporter: Reporter
  #connected: Connected | undefined
  /** The link that is being opened and restored. */
  #pending: Link | undefined
  #locked: LockedQueues | undefined
  readonly #waiters: OnlineWaiters
  readonly #pauses: Pauses
  #hostIndex = 0
  #closing = false
  #ended: WaybillError | undefined

  constructor(targets: readonly Target[], transportOf: (target: Target) => Transport, clock: Clock, settings: ConnectSettings) {
    this.#targets = targets
    this.#transportOf = transportOf
    this.clock = clock
    this.settings = settings
    this.log = settings.log
    this.#waiters = new OnlineWaiters(clock)
    this.#pauses = new Pauses(clock)
    const connecting = new WaybillError('CONNECTING', 'not connected yet')
    const status = { state: 'reconnecting', attempt: 0, retryInMs: 0, cause: connecting } as const
    this.#reporter = new Reporter(status, settings.log, settings.hasLog)
    this.#rules = {
      clock,
      offline: settings.offline,
      resend: settings.resend,
      buffered: { size: 0, sizeMax: settings.offlineSizeMax },
    }
  }

  get status(): Status {
    return this.#reporter.status
  }

  get ended(): WaybillError | undefined {
    return this.#ended
  }

  /** The first connection. Rejects when there is none within connectTimeoutMs, at once when the credentials are refused. */
  async start(): Promise<void> {
    const { connectTimeoutMs, backoff, signal } = this.settings
    const deadline = this.clock.now() + connectTimeoutMs
    const aborted = (): WaybillError => new WaybillError('ABORTED', 'connecting was aborted by its signal', { cause: signal?.reason })
    const abort = (): void => {
      this.#ended ??= aborted()
      this.#pending?.destroy(this.#ended)
      this.#pauses.wake()
    }
    if (signal?.aborted) throw aborted()
    const unlisten = signal === undefined ? undefined : onAbort(signal, abort)
    this.addChannel()
    try {
      let cause: WaybillError | undefined
      for (let attempt = 1; ; attempt++) {
        cause = await this.#round(attempt, deadline, cause)
        if (cause === undefined) return
        if (this.#ended !== undefined) throw this.#ended
        const delayMs = this.#pauses.length(attempt, backoff)
        if (!cause.retryable || this.clock.now() + delayMs >= deadline) throw connectError(cause, this.#targets)
        await this.#pauses.sleep(delayMs)
        if (this.#ended !== undefined) throw this.#ended
      }
    } catch (error) {
      const cause = asWaybillError(error, 'CONNECT_FAILED')
      this.#ended ??= cause
      for (const core of this.#channels.values()) core.end(cause, cause)
      throw cause
    } finally {
      unlisten?.()
    }
  }

  on(listener: (status: Status) => void): void {
    this.#reporter.on(listener)
  }

  off(listener: (status: Status) => void): void {
    this.#reporter.off(listener)
  }

  // ─── channels and calls ─────────────────────────────────────────────────

  addChannel(): ChannelCore {
    let number = 1
    while (this.#channels.has(number)) number++
    const core = new ChannelCore(this, number, this.#rules)
    this.#channels.set(number, core)
    return core
  }

  /** Opens a new channel, now or when there is a connection. */
  async openChannel(): Promise<ChannelCore> {
    const deadline = this.clock.now() + answerMsMax
    await this.online(deadline)
    const core = this.addChannel()
    try {
      for (;;) {
        const link = await this.online(deadline)
        // A reconnect in between has opened it with the others.
        if (core.isOpen) return core
        try {
          await core.open(link, answerMsMax)
          core.resume()
          return core
        } catch (error) {
          if (link.alive || this.#ended !== undefined) throw error
        }
      }
    } catch (error) {
      this.removeChannel(core, asWaybillError(error, 'CHANNEL_FAILED'))
      throw error
    }
  }

  /** `cause`: not the program has closed it. */
  removeChannel(core: ChannelCore, error: WaybillError, cause?: WaybillError): void {
    this.#channels.delete(core.number)
    core.end(cause, error)
  }

  get channels(): ChannelCore[] {
    return [...this.#channels.values()]
  }

  /** The live connection, as soon as there is one. Rejects with `OFFLINE` at the deadline (offline 'fail': at once), with `CLOSED`. */
  online(deadline: number): Promise<Link> {
    if (this.link !== undefined) return Promise.resolve(this.link)
    if (this.#ended !== undefined) return Promise.reject(closedError(this.#ended))
    if (this.settings.offline === 'fail') return Promise.reject(offlineError())
    return this.#waiters.wait(deadline)
  }

  /**
   * Asks the broker; on a lost connection again after recovery, so a request may be carried out twice. Declaring, binding and
   * checking do not mind; deleting and purging what is gone already answers with 0.
   */
  async call<K extends RequestName>(name: K, channel: number, body: object, timeoutMs = answerMsMax): Promise<ResultBodies[K]> {
    const deadline = this.clock.now() + timeoutMs
    for (;;) {
      const link = this.link ?? (await this.online(deadline))
      try {
        return await link.request(name, channel, body, Math.max(1, deadline - this.clock.now()))
      } catch (error) {
        const isLost = !link.alive && error instanceof WaybillError && error.code === 'CONNECTION_LOST'
        if (!isLost || this.settings.recovery === undefined || this.#closing) throw error
      }
    }
  }

  /** Ends it: the socket after a goodbye within `timeoutMs`, the reconnecting at once. */
  async close(timeoutMs: number): Promise<void> {
    this.#closing = true
    const closed = new WaybillError('CLOSED', 'the connection was closed')
    const link = this.link
    if (this.#ended === undefined && link !== undefined) {
      for (const core of this.#channels.values()) core.stop(closed)
      await link.close(timeoutMs)
    }
    this.#end(closed, undefined)
  }

  // ─── what links say ─────────────────────────────────────────────────────

  told(body: StatusBody): void {
    if (body.state === 'draining') this.#reporter.emit({ state: 'draining', deadline: new Date(this.clock.now() + body.deadlineMs) })
    else this.#reporter.emit(body)
  }

  stalled(lateMs: number): void {
    this.#reporter.emit({ state: 'stalled', lateMs: Math.round(lateMs) })
  }

  lost(link: Link, cause: WaybillError): void {
    if (link !== this.link && link !== this.#pending) return
    for (const core of this.#channels.values()) core.lost(cause)
    // Lost while it was being restored: the round that does so notices by itself.
    if (link !== this.link) return
    this.link = undefined
    this.#locked?.stop()
    if (this.#closing || this.#ended !== undefined) {
      this.#end(closedError(cause), undefined)
      return
    }
    this.#reporter.tell({ level: 'warn', event: 'connection-lost', host: link.host, code: cause.code, message: cause.message })
    if (this.settings.recovery === undefined) {
      this.#end(cause, cause)
      return
    }
    this.#reconnect(cause, this.settings.recovery).catch((error) => {
      const failure = asWaybillError(error, 'RECOVERY_FAILED')
      this.#end(failure, failure)
    })
  }

  channelFailed(core: ChannelCore, error: WaybillError): void {
    const link = this.link
    core.lost(error)
    this.log({ level: 'warn', event: 'channel-lost', channel: core.number, code: error.code, message: error.message })
    if (link === undefined) return
    restoreChannel(link, core).then(
      ({ failed }) => {
        core.resume()
        for (const {
          what,
          name,
          error: { code, message },
        } of failed)
          this.log({ level: 'warn', event: 'restore-failed', what, name, code, message })
      },
      (failure) => {
        const cause = asWaybillError(failure, 'CHANNEL_FAILED')
        if (link.alive) this.removeChannel(core, cause, cause)
      },
    )
  }

  consumerEnded(consumer: ChannelConsumer): void {
    const others = this.channels.some((core) => core.consumers.some((each) => each !== consumer && each.queue === consumer.queue))
    if (!others && this.#ended === undefined) this.topology.queueUnused(consumer.queue)
  }

  queueDeleted(queue: string): void {
    this.topology.queueDeleted(queue)
  }

  // ─── connecting ─────────────────────────────────────────────────────────

  /** Tries every host once. Undefined: connected. Otherwise why not (`before`, without time for any); not retryable when all refused us. */
  async #round(attempt: number, deadline: number, before: WaybillError | undefined): Promise<WaybillError | undefined> {
    let last = before
    let anyRetryable = false
    const count = this.#targets.length
    for (let i = 0; i < count; i++) {
      const left = deadline - this.clock.now()
      if (left <= 0 || this.#closing || this.#ended !== undefined) break
      const target = this.#targets[this.#hostIndex % count]
      try {
        await this.#connect(target, attempt, left / (count - i))
        return undefined
      } catch (error) {
        last = asWaybillError(error, 'CONNECT_FAILED')
        this.#hostIndex = (this.#hostIndex + 1) % count
        if (last.code === 'AUTHENTICATION_FAILED') return last
        if (last.retryable) anyRetryable = true
        this.log({ level: 'debug', event: 'connect-failed', host: hostOf(target), code: last.code, message: last.message })
      }
    }
    const cause = last ?? new WaybillError('CONNECT_TIMEOUT', 'there was no time to try any host', { retryable: true })
    return anyRetryable && !cause.retryable ? new WaybillError(cause.code, cause.message, { cause, retryable: true }) : cause
  }

  async #connect(target: Target, attempt: number, timeoutMs: number): Promise<void> {
    const link = new Link(this.#transportOf(target), target, helloOf(this.settings, target), timeoutMs, this)
    this.#pending = link
    let status: Connected
    try {
      await link.opened
      const restored = await restoreAll(link, this.topology, this.channels, (core, error) => this.removeChannel(core, error, error))
      status = { state: 'connected', host: link.host, attempt, ...restored }
    } catch (error) {
      link.destroy(asWaybillError(error, 'RESTORE_FAILED'))
      throw error
    } finally {
      this.#pending = undefined
    }
    this.link = link
    const locked = lockedQueues(status.failed)
    if (locked.length > 0) this.#locked = new LockedQueues(this.#lockedHome(link), locked, link.hello.heartbeatMs)
    for (const core of this.#channels.values()) core.resume()
    this.#connected = status
    this.#reporter.emit(status)
    const { blocked } = link.hello
    if (blocked !== null) this.#reporter.emit({ state: 'blocked', reason: blocked })
    this.#waiters.resolve(link)
  }

  #lockedHome(link: Link): LockedHome {
    return {
      clock: this.clock,
      restoreQueue: async (queue) => {
        const restored = await restoreQueue(link, this.topology, this.channels, queue)
        if (restored === undefined) return
        const status = { state: 'connected', host: link.host, attempt: 1, ...restored } as const
        this.#reporter.emit(status)
        this.#reporter.restored(status)
      },
      giveUp: (queue, error) => {
        for (const core of this.channels) {
          for (const consumer of core.consumers) if (consumer.queue === queue) consumer.ended(refusedEnd(error))
        }
      },
    }
  }

  async #reconnect(lostBy: WaybillError, recovery: NonNullable<ConnectSettings['recovery']>): Promise<void> {
    let cause = lostBy
    for (let attempt = 1; attempt <= recovery.attempts; attempt++) {
      const retryInMs = this.#pauses.length(attempt, recovery)
      this.#reporter.emit({ state: 'reconnecting', attempt, retryInMs, cause })
      await this.#pauses.sleep(retryInMs)
      if (this.#closing || this.#ended !== undefined) return
      const failure = await this.#round(attempt, this.clock.now() + this.settings.connectTimeoutMs, cause)
      if (failure === undefined) {
        if (this.#connected !== undefined) this.#reporter.restored(this.#connected)
        return
      }
      if (this.#closing || this.#ended !== undefined) return
      cause = failure
      if (refusals.has(cause.code)) break
    }
    this.#end(cause, cause)
  }

  // ─── the end, and what is told ──────────────────────────────────────────

  #end(error: WaybillError, cause: WaybillError | undefined): void {
    if (this.#ended !== undefined && this.#reporter.status.state === 'closed') return
    this.#ended ??= error
    this.link = undefined
    this.#locked?.stop()
    this.#pending?.destroy(error)
    this.#pauses.wake()
    this.#waiters.reject(closedError(error))
    for (const core of this.channels) core.end(cause, error)
    this.#channels.clear()
    if (cause !== undefined) this.#reporter.tell({ level: 'error', event: 'connection-closed', code: cause.code, message: cause.message })
    this.#reporter.emit(cause === undefined ? { state: 'closed' } : { state: 'closed', cause })
  }
}
