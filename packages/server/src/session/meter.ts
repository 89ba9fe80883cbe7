/** Bytes that the sessions of a shard hold for messages besides the messages themselves: rings of unsettled deliveries, copies on their way out. */
export class Meter {
  size = 0
}
