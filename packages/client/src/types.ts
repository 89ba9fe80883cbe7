/**
 * What services write against. Types only: every word, default and error case of the public surface stands here.
 *
 * The words `ack, requeue, retry, reject` are the same here, on the wire, in the specification and in the debug tool.
 */
import type {
  CheckExchangeResult,
  CheckQueueResult,
  ExchangeType,
  Headers as WireHeaders,
  HeaderMatch,
  ListItems,
  ListKind,
} from '@waybill/protocol'
import type { PublishError, WaybillError } from './errors.js'
import type { Log } from './log.js'

export type { CheckExchangeResult, CheckQueueResult, ExchangeType, HeaderMatch, ListItems, ListKind }

/** A broker in this process: what `createBroker()` of @waybill/server returns. No socket is made. */
export interface EmbeddedBroker {
  connect(): unknown
}

/**
 * Types of names, keys and bodies, erased at run time. What is left out is not checked: names are strings, bodies unknown.
 *
 *     connect<{ exchanges: { orders: { 'order.paid': Paid } }, queues: { emails: EmailJob } }>(…)
 */
export interface Shapes {
  exchanges?: object
  queues?: object
}
/** No shapes given. */
export type Untyped = Record<never, never>

export type Names<M> = M extends object ? keyof M & string : string
export type Keys<S extends Shapes, E> = S['exchanges'] extends object
  ? E extends keyof S['exchanges']
    ? keyof S['exchanges'][E] & string
    : never
  : string
export type Published<S extends Shapes, E, K> = S['exchanges'] extends object
  ? E extends keyof S['exchanges']
    ? K extends keyof S['exchanges'][E]
      ? S['exchanges'][E][K]
      : never
    : never
  : unknown
export type Queued<S extends Shapes, Q> = S['queues'] extends object ? (Q extends keyof S['queues'] ? S['queues'][Q] : never) : unknown

export interface TlsOptions {
  /** Certificates (PEM) of the authorities that are trusted instead of the system's. */
  ca?: string | Buffer | readonly (string | Buffer)[]
  /** The client's own certificate and key (PEM), when the broker asks for one. */
  cert?: string | Buffer
  key?: string | Buffer
  passphrase?: string
  /** The name that the broker's certificate must have. Default: the host of the URL. */
  serverName?: string
  /** Accept any certificate. Whoever stands between can then read and change everything. Default false. */
  insecureSkipVerification?: boolean
}

export interface RecoveryOptions {
  /** Upper bound of the first wait; it doubles with each attempt. The wait is a random part of it (full jitter). Default 100. */
  backoffMs?: number
  /** Where the doubling ends. Default 10,000. */
  backoffMaxMs?: number
  /** Rounds over all hosts before giving up. Default Infinity. */
  attempts?: number
}

export interface ConnectOptions {
  /** Shown in logs and on the page. Default: the name of the script and the process id. */
  name?: string
  /** These three win over those of the URL. The virtual host is 'default' by default. */
  user?: string
  password?: string
  vhost?: string
  /** Over all hosts, back-off included. Default 10,000. Refused credentials reject at once. */
  connectTimeoutMs?: number
  /** Silence of twice this ends a connection. 0 (never) or 5,000 to 600,000. Default 20,000; what the broker answers holds. */
  heartbeatMs?: number
  /** What happens when the connection is lost: false ends it for good. */
  recovery?: false | RecoveryOptions
  /**
   * What a publish does while there is no connection. 'wait' (default): it waits, at most its timeoutMs. 'fail': PublishError `OFFLINE`
   * at once. 'buffer': it waits without limit of time (unless it has a timeoutMs of its own) within a limit of size, then PublishError
   * `OFFLINE_FULL`.
   */
  offline?: 'wait' | 'fail' | 'buffer'
  /** The limit of 'buffer', bytes of records over all channels. Default 16 MiB. */
  offlineSizeMax?: number
  /**
   * What happens to a publish whose connection is lost before its confirm. 'reject' (default): PublishError with stored 'unknown'.
   * 'resend': it is published again after recovery, and may then be there twice.
   */
  unconfirmed?: 'reject' | 'resend'
  /** With waybills:// URLs alone: a plain one beside it is a UsageError. A broker of this process needs none. */
  tls?: TlsOptions
  /** Where entries go. Default: warnings and errors to stderr, a line each. */
  log?: Log
  /** Ends the connecting. It has no meaning once there is a connection. */
  signal?: AbortSignal
}

export type Status =
  | {
      readonly state: 'connected'
      readonly host: string
      /** Rounds it took; 1 for the first connection. */
      readonly attempt: number
      readonly restored: { readonly queues: number; readonly bindings: number; readonly consumers: number }
      readonly failed: readonly RestoreFailure[]
    }
  | { readonly state: 'reconnecting'; readonly attempt: number; readonly retryInMs: number; readonly cause: WaybillError }
  /** The broker withholds publishers' credit. Everything else goes on. */
  | { readonly state: 'blocked'; readonly reason: 'memory' | 'disk' | 'limit' }
  | { readonly state: 'unblocked' }
  /** The broker will go away: what is held should be settled by then. */
  | { readonly state: 'draining'; readonly deadline: Date }
  /** This process did not get to its timers for so long: a handler holds the event loop. */
  | { readonly state: 'stalled'; readonly lateMs: number }
  | { readonly state: 'closed'; readonly cause?: WaybillError }

export interface RestoreFailure {
  readonly what: 'exchange' | 'queue' | 'binding' | 'consumer'
  readonly name: string
  readonly error: WaybillError
}

/** A connection is a channel too: most services need no other. */
export interface Connection<S extends Shapes = Untyped> extends Channel<S> {
  /** An order and failure domain of its own. */
  channel(): Promise<Channel<S>>
  /** The last lasting status: connected, reconnecting, blocked, draining or closed. */
  readonly status: Status
  /** Never emits 'error': an unheard event must not crash a service. */
  on(event: 'status', listener: (status: Status) => void): this
  off(event: 'status', listener: (status: Status) => void): this
}

export interface Channel<S extends Shapes = Untyped> extends AsyncDisposable {
  /** Without a name the client makes one (`client.` and 20 letters) and keeps it over reconnects. Rejects with DeclareError when a queue of that name differs. */
  declareQueue(name?: string, options?: QueueOptions): Promise<QueueInfo>
  declareExchange(name: string, options: ExchangeOptions): Promise<{ created: boolean }>
  /** Reject with `NOT_FOUND` for what is not there. */
  checkQueue(queue: string): Promise<CheckQueueResult>
  checkExchange(exchange: string): Promise<CheckExchangeResult>
  deleteQueue(queue: string, options?: { ifUnused?: boolean; ifEmpty?: boolean }): Promise<{ deleted: boolean; messageCount: number }>
  deleteExchange(exchange: string, options?: { ifUnused?: boolean }): Promise<{ deleted: boolean }>
  /** Ready messages only; those at consumers stay theirs. */
  purgeQueue(queue: string): Promise<{ messageCount: number }>
  bindQueue(queue: string, exchange: string, key?: string, options?: BindOptions): Promise<void>
  unbindQueue(queue: string, exchange: string, key?: string, options?: BindOptions): Promise<void>
  /** Messages of `source` go on to `target`. */
  bindExchange(target: string, source: string, key?: string, options?: BindOptions): Promise<void>
  unbindExchange(target: string, source: string, key?: string, options?: BindOptions): Promise<void>
  /** What is there, by name. All of it, unless `limit` says how many. */
  list<K extends ListKind>(kind: K, options?: { prefix?: string; limit?: number }): Promise<ListItems[K][]>
  /**
   * Resolves when the broker has the message for good: a persistent one in a durable queue when it is synced to the disk of a broker
   * that keeps (`level` says what is so). Rejects with PublishError. Throws UsageError at once.
   */
  publish<E extends Names<S['exchanges']>, K extends Keys<S, E>>(
    exchange: E,
    key: K,
    body: Published<S, E, K>,
    options?: PublishOptions,
  ): Promise<Confirmation>
  /** Through the default exchange, mandatory: rejects with `UNROUTABLE` when there is no such queue. */
  sendToQueue<Q extends Names<S['queues']>>(queue: Q, body: Queued<S, Q>, options?: PublishOptions): Promise<Confirmation>
  /** Publishing without a promise for each message. */
  publisher<E extends Names<S['exchanges']>>(exchange: E, options?: PublisherOptions): Publisher<S, E>
  /** Calls the handler for each message, until the consumer, channel or connection is closed; over reconnects. */
  consume<T>(
    queue: string,
    handler: (message: Message<T>) => unknown,
    options: ConsumeOptions & { parse: (body: unknown) => T },
  ): Promise<Consumer>
  consume<Q extends Names<S['queues']>>(
    queue: Q,
    handler: (message: Message<Queued<S, Q>>) => unknown,
    options?: ConsumeOptions,
  ): Promise<Consumer>
  /**
   * Messages as an async iterator. `ack` is 'manual' by default; with 'on-success' asking for the next message acks the one before.
   * Leaving the loop requeues what has not been settled. It ends when the program closes the channel, and throws the
   * reason when the broker ends it or there is no connection any more.
   */
  messages<Q extends Names<S['queues']>>(
    queue: Q,
    options?: Omit<ConsumeOptions, 'concurrency'>,
  ): AsyncIterableIterator<Message<Queued<S, Q>>>
  /**
   * One message, to be settled by hand; undefined when none came within waitMs (default 0), over reconnects. Like every call it waits
   * for a connection: `OFFLINE` 30 s after waitMs (with offline 'fail' at once), and `TIMEOUT` then when the broker is silent.
   */
  get<Q extends Names<S['queues']>>(queue: Q, options?: GetOptions): Promise<Message<Queued<S, Q>> | undefined>
  /**
   * Publishes and waits for the reply, at most timeoutMs (default 10,000). Asking nobody rejects at once with `UNROUTABLE`, a handler
   * that threw with RemoteError. Replies come to an exclusive queue of the connection, `client.` and 20 letters, which its user needs to
   * configure and to read, and whoever answers to write.
   */
  request<T = unknown>(exchange: string, key: string, body: unknown, options?: PublishOptions): Promise<Message<T>>
  /** What the handler returns, or the promise it returns resolves to, is the reply. What it throws reaches the requester as RemoteError. */
  respond<T = unknown>(queue: string, handler: (message: Message<T>) => unknown, options?: ConsumeOptions): Promise<Consumer>
  /** Consumers stop and finish, publishers flush; then the channel, or the socket, ends. timeoutMs is 30,000 by default. */
  close(options?: { timeoutMs?: number }): Promise<void>
}

export interface QueueOptions {
  /**
   * It and its persistent messages outlive the broker process. Default: true if named, false if not or exclusive. A broker that keeps
   * nothing takes it and answers false.
   */
  durable?: boolean
  /** For this connection only; it goes with it. */
  exclusive?: boolean
  /** Goes when its last consumer has gone. */
  autoDelete?: boolean
  /** Goes when unused for so long. */
  expiresMs?: number
}
export interface QueueInfo {
  readonly queue: string
  readonly created: boolean
  /** What is so, not what was asked. */
  readonly durable: boolean
  readonly messageCount: number
  readonly consumerCount: number
}
export interface ExchangeOptions {
  type: ExchangeType
  durable?: boolean
  autoDelete?: boolean
  internal?: boolean
  alternate?: string
}
export interface BindOptions {
  headers?: Headers
  match?: HeaderMatch
}
export interface GetOptions {
  /** How long the broker waits for a message: 0 (default) to 600,000. */
  waitMs?: number
  signal?: AbortSignal
}

export type Headers = WireHeaders

export interface Properties {
  /** Default: none for bytes, text/plain for a string, application/json for everything else. */
  contentType?: string
  contentEncoding?: string
  messageId?: string
  correlationId?: string
  replyTo?: string
  type?: string
  appId?: string
  /** Milliseconds since 1970. */
  timestamp?: number
  priority?: number
  traceparent?: string
  tracestate?: string
  /** Kept with the durable queues that take it. Default true. */
  persistent?: boolean
  headers?: Headers
}
export interface PublishOptions extends Properties {
  /** Reject with `UNROUTABLE` when no queue takes it. Default false. */
  mandatory?: boolean
  /** Default 30,000: `BLOCKED` or `OFFLINE` when it could not be sent by then (stored 'no'), `TIMEOUT` when unconfirmed ('unknown'). */
  timeoutMs?: number
  signal?: AbortSignal
  /**
   * What the confirm must mean. Default: the best there is, which is synced for a persistent message in a durable queue. 'received' does
   * not wait for the disk. 'synced' rejects with `LEVEL_UNAVAILABLE` on a broker that keeps nothing.
   */
  confirm?: 'received' | 'synced'
}
export interface Confirmation {
  /** The broker's name of the message; the same in deliveries, lists and logs, and after a restart of the broker. */
  readonly id: string
  /** 'received': in memory. 'written': it survives the broker process. 'synced': it survives a power cut. */
  readonly level: 'received' | 'written' | 'synced'
  /** How many queues took it. */
  readonly queues: number
}

export interface PublisherOptions {
  /** Default true. False: nobody waits for the broker; refusals are still reported. */
  confirm?: boolean
  /** Messages without a confirm (with confirm false: not sent yet) from which it is full: a whole number, or Infinity. Default 1,000. */
  window?: number
  /** Bytes of records of those from which it is full and `send` throws; the message that reaches them is taken. Default 8 MiB. */
  sizeMax?: number
}
export interface Publisher<S extends Shapes = Untyped, E = string> extends AsyncDisposable {
  /** Its sequence, from 1. The message is taken in every case, or PublishError `PUBLISHER_FULL` is thrown when sizeMax is reached before. */
  send<K extends Keys<S, E>>(key: K, body: Published<S, E, K>, properties?: Properties): number
  /** At window or sizeMax, or waiting for the broker's credit. */
  readonly full: boolean
  /** Resolves when it is no longer full. */
  ready(options?: { signal?: AbortSignal }): Promise<void>
  /** Resolves when all that was sent before is confirmed (with confirm false: sent); rejects if any was refused and nobody listened. */
  flush(): Promise<void>
  on(event: 'refused', listener: (refusal: Refusal) => void): this
  off(event: 'refused', listener: (refusal: Refusal) => void): this
  /** Flushes; then `send` throws. */
  close(): Promise<void>
}
export interface Refusal {
  readonly sequence: number
  readonly routingKey: string
  readonly error: PublishError
}

export interface ConsumeOptions {
  /**
   * 'on-success' (default): returned → ack, thrown → retry, RejectError → reject. 'manual': the program settles each message.
   * 'none': a message is gone when it is sent.
   */
  ack?: 'on-success' | 'manual' | 'none'
  /** Handlers at once, a whole number or Infinity. Default 1 with 'on-success' (order is kept), else as many as prefetch. */
  concurrency?: number
  /** Messages that may be unsettled here. Default: 2 × concurrency, at least 32; manual, or Infinity, 256; none 1,000. */
  prefetch?: number
  /** Bytes of those; one message always. Default 8 MiB. */
  prefetchSize?: number
  /** Any schema library's: types and checks the body. What it throws rejects the message with the reason, never retried. */
  parse?: (body: unknown) => unknown
  exclusive?: boolean
  priority?: number
  /** Closes the consumer. */
  signal?: AbortSignal
}
export interface Consumer extends AsyncDisposable {
  readonly queue: string
  /** Handlers at work. */
  readonly running: number
  /** What handlers threw; unheard: a line in the log. */
  on(event: 'error', listener: (error: unknown, message: Message) => void): this
  off(event: 'error', listener: (error: unknown, message: Message) => void): this
  /** 0 pauses. */
  setPrefetch(messages: number, size?: number): void
  /**
   * Resolves when the broker has what was settled so far, by the program or by how handlers ended; what is durable of it is synced.
   * Rejects with `CONNECTION_LOST` (`CLOSED` when the program had ended it) and their number when settlements were not kept: the
   * connection was lost before the answer, or before the message was settled, at any time since the last flush that was answered. Those
   * messages come again, redelivered. It is said once: the next flush is about what is settled from then on. A settlement that is not
   * answered in 30 s (`TIMEOUT`), or that the disk refused (`STORAGE_FAILED`), is asked for again by the next flush.
   */
  flush(): Promise<void>
  /**
   * Stops, requeues what has not started, waits for handlers, settles. After timeoutMs (30,000) late ones get `signal` and go back.
   * Rejects as `flush` does, when everything has ended, but not for what was lost with a connection before the one that is up: those
   * messages have come again. Closed by its signal, or with its channel or connection, what was not kept is
   * a line in the log: those closes do not reject for it.
   */
  close(options?: { timeoutMs?: number }): Promise<void>
  readonly closed: Promise<ConsumerEnd>
}
/** `error`: why the broker has ended it; with 'closed', why the connection or the channel is gone for good, unless the program closed it. */
export interface ConsumerEnd {
  readonly reason: 'closed' | 'queue-deleted' | 'refused'
  readonly error?: WaybillError
}
export interface Message<T = unknown> {
  /** The broker's; the same in confirm, lists and logs. */
  readonly id: string
  /** By content type, decoded once on first use. Without one a Buffer. Throws RejectError for JSON that is none. */
  readonly body: T
  /** Raw; safe to keep, never changed. A kept one may hold up to 16 KiB of its neighbours in memory. */
  readonly content: Buffer
  readonly exchange: string
  readonly routingKey: string
  readonly queue: string
  readonly properties: Readonly<Properties>
  readonly headers: Headers
  /** It may have been delivered before; always set after a restart of the broker, which then counts deliveries and failures anew. */
  readonly redelivered: boolean
  /** This delivery included. */
  readonly deliveryCount: number
  readonly failureCount: number
  /** Aborted when this delivery is no longer ours: connection lost, closing deadline, cancelled. */
  readonly signal: AbortSignal
  /**
   * Each message is settled once, a second settlement throws UsageError. Settling what is no longer ours does nothing; unless it was a
   * requeue, the next `flush` of the consumer says so.
   */
  ack(): void
  /** Back to its place at once; not a failure. */
  requeue(): void
  /** A failure: back after delayMs, or after 1 s doubling to 60 s, ±20 %. */
  retry(options?: { delayMs?: number; reason?: string }): void
  /** Dead-letter, or drop and count. */
  reject(options?: { reason?: string }): void
}
