/** What the broker's core allows; the defaults and the reason of each stand in `../limits.ts`. */
export interface BrokerLimits {
  readonly queueCount: number
  readonly exchangeCount: number
  readonly bindingCount: number
  /** Consumers of one queue. */
  readonly queueConsumerCount: number
}
