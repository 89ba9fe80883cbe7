/** The bodies of control messages as types: requests, results, what a server sends unasked. Compared with spec/schemas by test. [P-6] */
import type { ErrorName } from './errors.js'
import type { FrameName } from './frame.js'
import type { JsonHeaders } from './header-json.js'

export type ExchangeType = 'direct' | 'fanout' | 'topic' | 'headers'
export type BlockedReason = 'memory' | 'disk' | 'limit'
export type AckMode = 'manual' | 'none'
export type HeaderMatch = 'all' | 'any'
export type ListKind = 'connections' | 'channels' | 'exchanges' | 'bindings' | 'queues' | 'consumers'

export interface ClientInfo {
  readonly product: string
  readonly version: string
  readonly platform?: string
  readonly name?: string
}

export interface HelloRequest {
  readonly client: ClientInfo
  /** Default 'default'. */
  readonly vhost?: string
  readonly user?: string
  readonly password?: string
  /** Default 20,000; 0 is off. */
  readonly heartbeatMs?: number
}

export interface HelloResult {
  readonly server: { readonly product: string; readonly version: string }
  readonly log: string
  readonly connection: number
  readonly heartbeatMs: number
  readonly keeps: 'nothing' | 'disk'
  readonly limits: {
    readonly frameSizeMax: number
    readonly messageSizeMax: number
    readonly channelCountMax: number
    readonly consumerCountMax: number
    readonly nameSizeMax: 255
  }
  readonly blocked: BlockedReason | null
}

/** An object without fields. */
export type Nothing = Readonly<Record<string, never>>

export interface OpenResult {
  readonly creditSequence: number
  readonly creditSize: number
}

export type StatusBody =
  | { readonly state: 'blocked'; readonly reason: BlockedReason }
  | { readonly state: 'unblocked' }
  | { readonly state: 'draining'; readonly deadlineMs: number }

export interface ErrorBody {
  readonly code: number
  /** A name of the error table; a later minor version may have more. */
  readonly name: ErrorName | (string & {})
  readonly scope: 'request' | 'channel' | 'connection'
  readonly retryable: boolean
  readonly message: string
  readonly details?: Readonly<Record<string, unknown>>
}

export interface CancelledBody {
  readonly consumer: number
  readonly reason: 'queue-deleted' | 'refused'
  readonly error?: ErrorBody
}

export interface DeclareExchangeRequest {
  readonly exchange: string
  readonly type: ExchangeType
  /** Default true. */
  readonly durable?: boolean
  readonly autoDelete?: boolean
  readonly internal?: boolean
  readonly alternate?: string
}

export interface CheckExchangeResult {
  readonly exchange: string
  readonly type: ExchangeType
  readonly durable: boolean
  readonly autoDelete: boolean
  readonly internal: boolean
  readonly alternate?: string
}

export interface DeleteExchangeRequest {
  readonly exchange: string
  readonly ifUnused?: boolean
}

export interface BindExchangeRequest {
  readonly source: string
  readonly target: string
  readonly key?: string
  readonly headers?: JsonHeaders
  readonly match?: HeaderMatch
}

export interface BindQueueRequest {
  readonly queue: string
  readonly exchange: string
  readonly key?: string
  readonly headers?: JsonHeaders
  readonly match?: HeaderMatch
}

export interface BoundResult {
  readonly created: boolean
  readonly bindingCount: number
}

export interface UnboundResult {
  readonly removed: boolean
  readonly bindingCount: number
}

export interface DeclareQueueRequest {
  /** Missing or empty: the broker makes a name. */
  readonly queue?: string
  /** Default true when the request names the queue and is not exclusive. */
  readonly durable?: boolean
  readonly exclusive?: boolean
  readonly autoDelete?: boolean
  readonly expiresMs?: number
}

export interface DeclareQueueResult {
  readonly queue: string
  readonly created: boolean
  readonly durable: boolean
  readonly messageCount: number
  readonly consumerCount: number
}

export interface CheckQueueResult {
  readonly queue: string
  readonly durable: boolean
  readonly exclusive: boolean
  readonly autoDelete: boolean
  readonly expiresMs?: number
  readonly messageCount: number
  readonly unsettledCount: number
  readonly consumerCount: number
}

export interface DeleteQueueRequest {
  readonly queue: string
  readonly ifUnused?: boolean
  readonly ifEmpty?: boolean
}

export interface ConsumeRequest {
  readonly consumer: number
  readonly queue: string
  /** Default 'manual'. */
  readonly ack?: AckMode
  /** Default 256. */
  readonly prefetch?: number
  /** Default 8 MiB. */
  readonly prefetchSize?: number
  readonly exclusive?: boolean
  readonly priority?: number
}

export interface GetRequest {
  readonly consumer: number
  readonly queue: string
  readonly ack?: AckMode
  readonly waitMs?: number
}

export interface ListRequest {
  readonly kind: ListKind
  /** Default 100, at most 1,000. */
  readonly limit?: number
  /** `next` of the answer before. */
  readonly after?: string
  readonly prefix?: string
}

export interface ListResult<Item = unknown> {
  readonly items: readonly Item[]
  readonly next?: string
}

/** One item of each kind of list. Counters are there when the broker keeps them. */
export interface ListItems {
  connections: {
    readonly connection: number
    readonly client: ClientInfo
    readonly user?: string
    readonly vhost: string
    readonly remote: string
    readonly tls: boolean
    readonly connectedAt: number
    readonly heartbeatMs?: number
    readonly channelCount: number
    readonly consumerCount?: number
    readonly unsettledCount?: number
    readonly receivedSize?: number
    readonly sentSize?: number
    readonly outboxSize?: number
    readonly publishedCount?: number
    readonly deliveredCount?: number
    readonly blocked?: BlockedReason | null
  }
  channels: {
    readonly connection: number
    readonly channel: number
    readonly consumerCount: number
    readonly unsettledCount: number
    readonly publishedCount?: number
    readonly confirmedCount?: number
    readonly refusedCount?: number
    readonly deliveredCount?: number
    readonly settledCount?: number
    readonly creditSequence?: number
    readonly creditSize?: number
  }
  exchanges: {
    readonly exchange: string
    readonly type: ExchangeType
    readonly durable: boolean
    readonly autoDelete: boolean
    readonly internal: boolean
    readonly alternate?: string
    readonly bindingCount: number
    readonly publishedCount?: number
    readonly unroutableCount?: number
  }
  bindings: {
    readonly source: string
    readonly target: string
    readonly kind: 'queue' | 'exchange'
    readonly key: string
    readonly headers?: JsonHeaders
    readonly match?: HeaderMatch
  }
  queues: {
    readonly queue: string
    readonly durable: boolean
    readonly exclusive: boolean
    readonly autoDelete: boolean
    readonly expiresMs?: number
    /** Ready ones; unsettled ones are counted apart. */
    readonly messageCount: number
    readonly messageSize: number
    readonly unsettledCount: number
    readonly unsettledSize: number
    readonly delayedCount?: number
    readonly consumerCount: number
    readonly publishedCount?: number
    readonly deliveredCount?: number
    readonly redeliveredCount?: number
    readonly ackedCount?: number
    readonly requeuedCount?: number
    readonly retriedCount?: number
    readonly rejectedCount?: number
    readonly purgedCount?: number
    /** Messages that it began with when the broker started. */
    readonly restoredCount?: number
    /** Messages that could not be read back from the disk. */
    readonly lostCount?: number
  }
  consumers: {
    readonly connection: number
    readonly channel: number
    readonly consumer: number
    readonly queue: string
    readonly ack: AckMode
    readonly exclusive?: boolean
    readonly priority?: number
    readonly prefetch: number
    readonly prefetchSize?: number
    readonly unsettledCount: number
    readonly unsettledSize?: number
    readonly deliveredCount?: number
    readonly settledCount?: number
  }
}

/** Bodies by the name of their frame type; results are apart. */
export interface ControlBodies {
  hello: HelloRequest
  open: Nothing
  close: Nothing
  list: ListRequest
  declareExchange: DeclareExchangeRequest
  checkExchange: { readonly exchange: string }
  deleteExchange: DeleteExchangeRequest
  bindExchange: BindExchangeRequest
  unbindExchange: BindExchangeRequest
  declareQueue: DeclareQueueRequest
  checkQueue: { readonly queue: string }
  deleteQueue: DeleteQueueRequest
  purgeQueue: { readonly queue: string }
  bindQueue: BindQueueRequest
  unbindQueue: BindQueueRequest
  consume: ConsumeRequest
  cancel: { readonly consumer: number }
  get: GetRequest
  status: StatusBody
  error: ErrorBody
  cancelled: CancelledBody
}

/** The body of the RESULT that answers a request; SETTLE is one when it is correlated. */
export interface ResultBodies {
  hello: HelloResult
  open: OpenResult
  close: Nothing
  settle: Nothing
  list: ListResult
  declareExchange: { readonly created: boolean }
  checkExchange: CheckExchangeResult
  deleteExchange: { readonly deleted: boolean }
  bindExchange: BoundResult
  unbindExchange: UnboundResult
  declareQueue: DeclareQueueResult
  checkQueue: CheckQueueResult
  deleteQueue: { readonly deleted: boolean; readonly messageCount: number }
  purgeQueue: { readonly messageCount: number }
  bindQueue: BoundResult
  unbindQueue: UnboundResult
  consume: Nothing
  cancel: { readonly unsettledCount: number }
  get: { readonly found: boolean }
}

export type ControlName = keyof ControlBodies & FrameName
export type RequestName = keyof ResultBodies & FrameName
