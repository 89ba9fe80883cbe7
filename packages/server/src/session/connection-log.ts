/** What the broker's log says of one connection: that it came, why it was refused or failed, that it went, and what it did meanwhile. */
import type { ErrorName, Foreign, HelloRequest } from '@waybill/protocol'
import type { Refusal } from '../broker/refusal.js'
import type { Logger } from '../ports/logger.js'
import type { Transport } from '../ports/transport.js'

export interface ConnectionSums {
  readonly publishedCount: number
  readonly deliveredCount: number
  readonly receivedSize: number
}

export class ConnectionLog {
  readonly #log: Logger
  readonly #connection: number
  readonly #transport: Pick<Transport, 'remote' | 'tls'>

  constructor(log: Logger, connection: number, transport: Pick<Transport, 'remote' | 'tls'>) {
    this.#log = log
    this.#connection = connection
    this.#transport = transport
  }

  opened(user: string | undefined, vhost: string, client: HelloRequest['client']): void {
    this.#say('info', 'connection-opened', { tls: this.#transport.tls, user, vhost, ...client })
  }

  foreign(recognised: Foreign): void {
    this.#say('info', 'foreign-protocol', { recognised })
  }

  versionRefused(major: number, minor: number): void {
    this.#say('info', 'version-refused', { major, minor })
  }

  /** `hello`: undefined if it could not be read. */
  refused(hello: HelloRequest | undefined, { name, message }: Refusal): void {
    const { user, vhost } = hello ?? {}
    const event = name === 'authenticationFailed' ? 'authentication-failed' : 'connection-refused'
    this.#say('warn', event, { user, vhost, error: name, message })
  }

  failed(name: ErrorName, message: string): void {
    // A broker that goes away ends every connection: nothing has gone wrong with any of them.
    this.#say(name === 'shuttingDown' ? 'info' : 'warn', 'connection-failed', { error: name, message })
  }

  /** `wasOpen`: it had said who it is. */
  closed(wasOpen: boolean, reason: string, { publishedCount, deliveredCount, receivedSize }: ConnectionSums): void {
    this.#say(wasOpen ? 'info' : 'debug', 'connection-closed', { reason, publishedCount, deliveredCount, receivedSize })
  }

  #say(level: Parameters<Logger>[0], event: string, fields: Readonly<Record<string, unknown>>): void {
    this.#log(level, event, { connection: this.#connection, remote: this.#transport.remote, ...fields })
  }
}
