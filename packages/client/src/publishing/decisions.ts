/**
 * Hot: what CONFIRM says, message by message, to whoever published it. [P-4.4]
 *
 *     exceptions → refused        runs → confirmed        the rest up to `through` → decided without a word: published without confirm
 *
 * They may come in any order within a frame; each message is decided once, and its slot of the window is forgotten then.
 */
import {
  confirmExceptionCount,
  confirmExceptionsStart,
  confirmRunCount,
  confirmRunStart,
  exceptionCode,
  exceptionDetailStart,
  exceptionEnd,
  exceptionSequence,
  Flag,
  readText,
  runFirstMessageId,
  runFirstSequence,
  runLevel,
  runMessageCount,
  runQueueCount,
} from '@waybill/protocol'
import { refusalOf } from '../errors.js'
import { unsaidError } from './refusals.js'
import { resentFlag, type Window } from './window.js'

/** The frame has been checked, and nothing beyond the window is decided by it. Returns how many messages with a confirm were. */
export function decide(window: Window, log: string, bytes: Uint8Array, from: number, through: number): number {
  let count = 0
  let at = confirmExceptionsStart(bytes, from)
  for (let i = confirmExceptionCount(bytes, from); i > 0; i--, at = exceptionEnd(bytes, at)) count += refuse(window, bytes, at)
  for (let i = 0, runs = confirmRunCount(bytes, from); i < runs; i++) count += confirm(window, log, bytes, confirmRunStart(from, i))
  return count + pass(window, through)
}

function confirm(window: Window, log: string, bytes: Uint8Array, at: number): number {
  const { mask } = window
  const first = runFirstSequence(bytes, at)
  const last = first + runMessageCount(bytes, at) - 1
  const level = runLevel(bytes, at)
  const queues = runQueueCount(bytes, at)
  let message = runFirstMessageId(bytes, at)
  let count = 0
  for (let sequence = first; sequence <= last; sequence++, message++) {
    if (sequence < window.first) continue
    const slot = sequence & mask
    const origin = window.origins[slot]
    if (origin === undefined) continue
    window.forget(slot)
    if (origin.abandoned) continue
    count++
    origin.confirmed(window.sizes[slot], log, message, level, queues)
  }
  return count
}

function refuse(window: Window, bytes: Uint8Array, at: number): number {
  const sequence = exceptionSequence(bytes, at)
  const slot = sequence & window.mask
  const origin = sequence < window.first ? undefined : window.origins[slot]
  if (origin === undefined) return 0
  const routingKey = window.keys[slot]
  const count = (window.flags[slot] & Flag.confirm) === 0 ? 0 : 1
  // Refused this time; the first time, on a connection that was lost, it may have been taken.
  const stored = (window.flags[slot] & resentFlag) === 0 ? 'no' : 'unknown'
  window.forget(slot)
  if (origin.abandoned) return 0
  const detail = readText(bytes, exceptionDetailStart(at), exceptionEnd(bytes, at))
  origin.refused(window.numbers[slot], window.sizes[slot], routingKey, false, refusalOf(exceptionCode(bytes, at), detail, stored))
  return count
}

/** Everything up to `through` is decided. A message with a confirm has been named by now, or the broker owes us an answer. */
function pass(window: Window, through: number): number {
  let count = 0
  for (let sequence = window.first; sequence <= through; sequence++) {
    const slot = sequence & window.mask
    const origin = window.origins[slot]
    if (origin === undefined) continue
    const routingKey = window.keys[slot]
    window.forget(slot)
    if ((window.flags[slot] & Flag.confirm) === 0 || origin.abandoned) continue
    count++
    origin.refused(window.numbers[slot], window.sizes[slot], routingKey, false, unsaidError())
  }
  if (through >= window.first) window.first = through + 1
  return count
}
