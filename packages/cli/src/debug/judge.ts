/**
 * What is wrong with a frame that can be read all the same: sent by the wrong side, on the wrong channel, with a flag it does
 * not have, or a field that is out of its range. [P-2.6, P-6.0]
 *
 * It is said beside the frame, and nothing follows from it: a tool for looking lets everybody go on.
 */
import {
  checkConfirm,
  checkDeliver,
  checkPublish,
  checkSettle,
  type ControlName,
  correlationSize,
  decodeControl,
  frameFault,
  frameHeaderSize,
  frameKind,
  publishHeaderSize,
  recordFault,
} from '@waybill/protocol'
import type { Direction, Frame } from './frame.js'
import type { Message } from './message.js'

/** In words; undefined: nothing. */
export function judge(direction: Direction, { type, channel, correlation, content, bytes }: Frame): string | undefined {
  const kind = frameKind(type)
  if (kind === undefined || content.kind === 'malformed') return undefined
  const fault = frameFault(type, bytes[5], channel, direction === 'in' ? 'server' : 'client')
  if (fault !== undefined) return fault.message
  if (correlation === 0) return 'a correlation id is not 0'

  const from = frameHeaderSize + (correlation === undefined ? 0 : correlationSize)
  if (content.kind === 'control') {
    if (kind.name === 'result') return undefined
    return decodeControl(kind.name as ControlName, bytes, from, bytes.length).problem?.message
  }
  if (layoutCode(content.kind, bytes, from) !== 0) return `a field of ${content.kind} is out of its range`
  return content.kind === 'publish' ? recordProblem(bytes, from + publishHeaderSize, content.messages) : undefined
}

/** What a publisher may not say in a record, though a broker may say it in a delivery. */
function recordProblem(bytes: Uint8Array, from: number, messages: readonly Message[]): string | undefined {
  let at = from
  for (const { size } of messages) {
    const fault = recordFault(bytes, at, at + size)
    if (fault !== undefined) return fault.message
    at += size
  }
  return undefined
}

/** 0, or the number of the error that this body is. */
function layoutCode(kind: string, bytes: Uint8Array, from: number): number {
  switch (kind) {
    case 'publish':
      return checkPublish(bytes, from, bytes.length)
    case 'deliver':
      return checkDeliver(bytes, bytes[5], from, bytes.length)
    case 'settle':
      return checkSettle(bytes, from, bytes.length)
    case 'confirm':
      return checkConfirm(bytes, from, bytes.length)
    default:
      return 0
  }
}
