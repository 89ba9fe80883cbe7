/** The options of a consumer: their defaults, and what is wrong with them. */
import { checkOptions, checkSignal } from '../arguments.js'
import { UsageError } from '../errors.js'
import type { ConsumeOptions } from '../types.js'

export const prefetchSizeDefault = 8 * 1024 * 1024

const prefetchMax = 0xffff_ffff

/** Messages that may be unsettled. Without a bound of handlers it is that of 'manual'. */
export function prefetchDefault(ack: 'on-success' | 'manual' | 'none', concurrency: number): number {
  if (ack === 'none') return 1_000
  if (ack === 'manual' || concurrency === Infinity) return 256
  return Math.min(prefetchMax, Math.max(32, 2 * concurrency))
}

export function checkWindow(messages: number, size: number): void {
  if (!Number.isInteger(messages) || messages < 0 || messages > prefetchMax) {
    throw new UsageError('OPTION_INVALID', `prefetch is a whole number of messages from 0 to ${prefetchMax}`)
  }
  if (!Number.isInteger(size) || size < 0 || size > prefetchMax)
    throw new UsageError('OPTION_INVALID', `prefetchSize is a whole number of bytes from 0 to ${prefetchMax}`)
}

const optionNames = ['ack', 'concurrency', 'prefetch', 'prefetchSize', 'parse', 'exclusive', 'priority', 'signal']

/** Throws UsageError for options that do not exist or do not fit. */
export function checkConsumeOptions(options: ConsumeOptions): void {
  checkOptions('a consumer', options, optionNames)
  const { ack, concurrency, prefetch, prefetchSize, parse, exclusive, priority, signal } = options
  if (ack !== undefined && ack !== 'on-success' && ack !== 'manual' && ack !== 'none') {
    throw new UsageError('OPTION_INVALID', `ack is 'on-success', 'manual' or 'none', not '${String(ack)}'`)
  }
  if (concurrency !== undefined && concurrency !== Infinity && !(Number.isInteger(concurrency) && concurrency >= 1)) {
    throw new UsageError('OPTION_INVALID', 'concurrency is a whole number of handlers, at least 1, or Infinity')
  }
  if (parse !== undefined && typeof parse !== 'function') throw new UsageError('OPTION_INVALID', 'parse is a function of the body')
  if (exclusive !== undefined && typeof exclusive !== 'boolean') throw new UsageError('OPTION_INVALID', 'exclusive is true or false')
  if (priority !== undefined && !Number.isInteger(priority)) throw new UsageError('OPTION_INVALID', 'priority is a whole number')
  checkSignal(signal)
  checkWindow(prefetch === undefined ? 0 : prefetch, prefetchSize === undefined ? 0 : prefetchSize)
}
