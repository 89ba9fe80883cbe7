/**
 * What has become of the messages of a queue since the start:
 *
 *     published + restored = ready + unsettled + delayed + acked + rejected + purged + lost + those that were sent in mode none
 */
export class QueueCounters {
  published = 0
  /** Were there at the start. */
  restored = 0
  delivered = 0
  acked = 0
  requeued = 0
  retried = 0
  rejected = 0
  purged = 0
  /** Should have been in the log and were not. */
  lost = 0
}
