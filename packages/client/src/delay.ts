/** The delay of a retry, as a program says it. [P-5.4] */
import { noDelay } from '@waybill/protocol'

export const delayRule = 'delayMs is a number of milliseconds, 0 or more and less than 2^32 - 1'

/** Whether it can be sent, rounded to whole milliseconds: the largest number there is means the broker's own back-off. */
export function isDelay(delayMs: unknown): delayMs is number {
  return typeof delayMs === 'number' && delayMs >= 0 && Math.round(delayMs) < noDelay
}
