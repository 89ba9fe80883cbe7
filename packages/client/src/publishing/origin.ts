/** Whoever published a message and waits for what becomes of it: a call of `publish()`, or a publisher. */
import type { PublishError } from '../errors.js'

export interface Origin {
  /** It gave up on the message while that was waiting: it must not be sent any more. */
  readonly abandoned: boolean
  /** A message that had to wait has been sent. */
  sent(size: number): void
  /** The broker has taken it. Messages without a confirm never hear it. */
  confirmed(size: number, log: string, message: number, level: number, queues: number): void
  /** It is not published, or nobody knows. `waited`: it had not been sent. */
  refused(number: number, size: number, routingKey: string, waited: boolean, error: PublishError): void
  /** Several messages may have been sent or decided since the last call. */
  progress(): void
}
