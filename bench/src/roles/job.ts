/** What the bench asks of its role processes, and what they answer. All of it crosses a process boundary as JSON. */
import type { Received } from '../body.js'
import type { PeerName } from '../peers/index.js'
import type { Throughput } from '../workloads.js'

interface Job {
  readonly peer: PeerName
  /** Where the broker is; for `Peer.connect`. */
  readonly target: string
}

export interface ThroughputJob extends Job {
  readonly workload: Throughput
  readonly ahead: number
  /** Where the consumer tells the producer how far it is: a socket of their own, the same for every peer. */
  readonly progress: string
}

export interface LatencyJob extends Job {
  readonly bodySize: number
  readonly perSecond: number
  /** Persistent messages in a durable queue, every one confirmed and acknowledged. */
  readonly durable: boolean
}

export interface IdleJob extends Job {
  readonly bodySize: number
  readonly connections: number
}

/** A count at a moment of the monotonic clock, which all processes of a machine share. */
export interface Mark {
  readonly count: number
  readonly atMs: number
}

export interface Sent {
  readonly published: number
  readonly confirmed: number
  /** Deliveries that must follow, and the sum of their marks modulo 2^32. */
  readonly deliveries: number
  readonly sum: number
}

export interface BacklogJob extends Job {
  readonly bodySize: number
  readonly count: number
}

export interface LatencyWindow {
  /** Sorted, in microseconds. */
  readonly latencies: readonly number[]
  /** To the confirm, likewise; none where messages are not confirmed. */
  readonly confirmLatencies: readonly number[]
}

export interface LatencyResult extends LatencyWindow {
  readonly sent: Sent
  readonly received: Received
}

/** What each role can be asked: the question, what goes with it, what comes back. */
export interface ConsumerRole {
  start(job: ThroughputJob): Promise<void>
  mark(): Promise<Mark>
  /** Waits for that many deliveries, or until nothing has come for a while. */
  finish(expected: number): Promise<Received>
  /** Goes away in an orderly manner, and asks what the queue still has. */
  leave(): Promise<number>
}

export interface ProducerRole {
  start(job: ThroughputJob): Promise<void>
  mark(): Promise<Mark>
  stop(): Promise<Sent>
}

export interface LatencyRole {
  start(job: LatencyJob): Promise<void>
  /** From here on latencies count. */
  measure(): Promise<Mark>
  mark(): Promise<Mark>
  /** What has been measured so far, which counts no more. */
  lap(): Promise<LatencyWindow>
  stop(): Promise<LatencyResult>
}

/** Fills a queue. */
export interface FillerRole {
  declare(job: BacklogJob): Promise<void>
  /** Resolves when every message is confirmed. */
  fill(): Promise<{ readonly ms: number; readonly sent: Sent }>
}

/** Empties it, once its process has loaded what it needs. */
export interface DrainerRole {
  prepare(job: BacklogJob): Promise<void>
  /** Begins to consume, and answers at the first delivery. */
  begin(): Promise<Mark>
  /** Waits for that many deliveries, or until nothing has come for a while; when the last one came. */
  finish(expected: number): Promise<{ readonly last: Mark; readonly received: Received }>
  leave(): Promise<number>
}

export interface IdleRole {
  /** Opens all connections; resolves with the milliseconds it took. */
  start(job: IdleJob): Promise<number>
  /** Sends one message to each queue. */
  deliver(): Promise<{ readonly ms: number; readonly sent: Sent; readonly received: Received }>
}
