/**
 * What a peer must offer to take part: a broker that runs as its own process, and its usual client behind three
 * doors: declare, send, receive. Everything above this interface is the same code for all of them.
 */
import type { Binding } from '../topics.js'

export type Layout =
  | {
      readonly kind: 'queue'
      readonly queue: string
      /** The queue survives its broker, and so do the messages that are sent to it. */
      readonly durable: boolean
    }
  | { readonly kind: 'fanout'; readonly exchange: string; readonly queues: readonly string[] }
  | { readonly kind: 'topic'; readonly exchange: string; readonly queues: readonly string[]; readonly bindings: readonly Binding[] }

export interface Broker {
  /** The process whose tree is measured; another one after a restart. */
  readonly pid: number
  /** What `Peer.connect` takes; it crosses a process boundary. The same after a restart. */
  readonly target: string
  /** Ends the broker as a crash would, and resolves when it has gone. */
  kill(): Promise<void>
  /** Starts it again with the data that it left; resolves when it accepts connections. */
  startAgain(): Promise<void>
  stop(): Promise<void>
}

export interface Sending {
  /** `window`: the sender is full while so many are not confirmed. */
  readonly confirm: 'none' | 'each' | 'window'
  /** Messages without a confirm at once, with 'window'. */
  readonly window: number
  readonly paced: boolean
  /** Deliveries that may lie between producer and consumer; a peer that trims by length must keep more than this. */
  readonly ahead: number
}

export interface Sender {
  /** Hands one message to the client and returns at once. In a layout of one queue the key is the name of a queue. */
  send(key: string, body: Buffer): void
  /** Whether the client asks to wait before the next one. */
  readonly full: boolean
  ready(): Promise<void>
  /** Resolves when the broker has confirmed this message. */
  publish(key: string, body: Buffer): Promise<unknown>
  /** What was handed over is on its way (unconfirmed) or confirmed; rejects when something was refused. */
  flush(): Promise<void>
}

/** Called for each message; a lane is a queue, or a subscription where the peer delivers to each subscription. */
export type Take = (lane: number, body: Uint8Array) => void

export interface Client {
  declare(layout: Layout): Promise<void>
  sender(layout: Layout, sending: Sending): Promise<Sender>
  /** Resolves when every message published from now on will arrive. */
  receive(layout: Layout, acks: boolean, take: Take): Promise<void>
  /** Messages that the queue of a durable layout still has, those at consumers not counted where the peer does not say. */
  left(layout: Layout): Promise<number>
  /** What was acknowledged has been told to the broker by then. */
  close(): Promise<void>
}

/** What a confirm of a persistent message in a durable queue says, in words, and whether it is synced to the disk by then. */
export interface Durable {
  readonly confirm: string
  readonly syncs: boolean
}

export interface Peer {
  readonly name: string
  readonly title: string
  /** Its client, with version. */
  readonly client: string
  /** A topic message arrives once for each matching queue or for each matching binding. */
  readonly deliversEach: 'queue' | 'binding'
  /** Whether it takes part in the transient workloads. */
  readonly transient: boolean
  /** How it takes part in the durable ones; undefined: not at all. */
  readonly durable: Durable | undefined
  /** What a confirm of this peer says in transient workloads; undefined: it has none, and publishes unconfirmed instead. */
  readonly confirm: string | undefined
  readonly acks: boolean
  readonly topics: boolean
  /** A smaller lead than the workload's, where a longer queue hurts this peer. */
  readonly aheadMax: number
  /** Version of the installed broker, undefined when there is none. */
  version(): string | undefined
  /** Its data, if it keeps any, goes below `directory`. */
  start(directory: string): Promise<Broker>
  connect(target: string): Promise<Client>
}
