/** The options of a consumer: their defaults, and what is wrong with them. */
import { UsageError } from '../errors.js'
import type { ConsumeOptions } from '../types.js'

export const prefetchSizeDefault = 8 * 1024 * 1024

/** Messages that may be unsettled. */
export function prefetchDefault(ack: 'on-success' | 'manual' | 'none', concurrency: number): number {
  if (ack === 'manual') return 256
  if (ack === 'none') return 1_000
  return Math.max(32, 2 * concurrency)
}

export function checkWindow(messages: number, size: number): void {
  if (!Number.isInteger(messages) || messages < 0 || messages > 0xffff_ffff) {
    throw new UsageError('OPTION_INVALID', 'prefetch is a whole number of messages, 0 or more')
  }
  if (!Number.isInteger(size) || size < 0 || size > 0xffff_ffff)
    throw new UsageError('OPTION_INVALID', 'prefetchSize is a whole number of bytes, 0 or more')
}

const optionNames = new Set(['ack', 'concurrency', 'prefetch', 'prefetchSize', 'parse', 'exclusive', 'priority', 'signal'])

/** Throws UsageError for options that do not exist or do not fit. */
export function checkConsumeOptions(options: ConsumeOptions): void {
  const unknown = Object.keys(options).find((name) => !optionNames.has(name))
  if (unknown !== undefined) throw new UsageError('OPTION_UNKNOWN', `a consumer has no option '${unknown}'`)
  const { ack, concurrency, prefetch, prefetchSize, parse, priority } = options
  if (ack !== undefined && ack !== 'on-success' && ack !== 'manual' && ack !== 'none') {
    throw new UsageError('OPTION_INVALID', `ack is 'on-success', 'manual' or 'none', not '${String(ack)}'`)
  }
  if (concurrency !== undefined && !(concurrency >= 1)) throw new UsageError('OPTION_INVALID', 'concurrency is at least 1')
  if (parse !== undefined && typeof parse !== 'function') throw new UsageError('OPTION_INVALID', 'parse is a function of the body')
  if (priority !== undefined && !Number.isInteger(priority)) throw new UsageError('OPTION_INVALID', 'priority is a whole number')
  checkWindow(prefetch ?? 0, prefetchSize ?? 0)
}
