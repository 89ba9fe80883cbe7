/**
 * What a peer must offer to take part: a broker that runs as its own process, and its usual client behind three
 * doors: declare, send, receive. Everything above this interface is the same code for all of them.
 */
import type { Binding } from '../topics.js'

export type Layout =
  | { readonly kind: 'queue'; readonly queue: string }
  | { readonly kind: 'fanout'; readonly exchange: string; readonly queues: readonly string[] }
  | { readonly kind: 'topic'; readonly exchange: string; readonly queues: readonly string[]; readonly bindings: readonly Binding[] }

export interface Broker {
  /** The process whose tree is measured. */
  readonly pid: number
  /** What `Peer.connect` takes; it crosses a process boundary. */
  readonly target: string
  stop(): Promise<void>
}

export interface Sending {
  readonly confirm: 'none' | 'each'
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
  /** What was handed over is on its way (unconfirmed) or confirmed. */
  flush(): Promise<void>
}

/** Called for each message; a lane is a queue, or a subscription where the peer delivers to each subscription. */
export type Take = (lane: number, body: Uint8Array) => void

export interface Client {
  declare(layout: Layout): Promise<void>
  sender(layout: Layout, sending: Sending): Promise<Sender>
  /** Resolves when every message published from now on will arrive. */
  receive(layout: Layout, acks: boolean, take: Take): Promise<void>
  close(): Promise<void>
}

export interface Peer {
  readonly name: string
  readonly title: string
  /** Its client, with version. */
  readonly client: string
  /** A topic message arrives once for each matching queue or for each matching binding. */
  readonly deliversEach: 'queue' | 'binding'
  /** What a confirm of this peer says in these workloads; undefined: it has none, and publishes unconfirmed instead. */
  readonly confirm: string | undefined
  readonly acks: boolean
  readonly topics: boolean
  /** A smaller lead than the workload's, where a longer queue hurts this peer. */
  readonly aheadMax: number
  /** Version of the installed broker, undefined when there is none. */
  version(): string | undefined
  start(directory: string): Promise<Broker>
  connect(target: string): Promise<Client>
}
