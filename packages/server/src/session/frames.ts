// Hot: every frame of an open connection.
/**
 * Whole frames of an open connection: found good by their header and, the binary ones, by their layout, and handed to their channel;
 * requests go to requests.ts. Whoever breaks the layout ends the connection. [P-2.3, P-2.6]
 */
import {
  checkHeartbeat,
  checkPublish,
  checkSettle,
  checkWindow,
  correlationSize,
  type ErrorName,
  frameFault,
  frameHeaderSize,
  FrameType,
  limits,
  sizeFieldSize,
  windowConsumer,
  windowMessageCount,
  windowSize,
} from '@waybill/protocol'
import type { Intake } from './intake.js'
import { carryOut, type RequestHome } from './requests.js'

export interface FrameHome extends RequestHome {
  readonly intake: Pick<Intake, 'isWithinSize'>
  changed(): void
  fail(name: ErrorName, message: string): void
}

export function takeFrame(
  home: FrameHome,
  bytes: Uint8Array,
  type: number,
  flags: number,
  channelId: number,
  correlation: number,
  from: number,
  to: number,
): void {
  const fault = frameFault(type, flags, channelId, 'client')
  if (fault !== undefined) {
    home.fail(fault.code, fault.message)
    return
  }
  const size = to - from + frameHeaderSize - sizeFieldSize + (correlation === 0 ? 0 : correlationSize)
  if (size > limits.uncreditedFrameSizeMax.value && !home.intake.isWithinSize(type, size, channelId)) return
  switch (type) {
    case FrameType.publish:
    case FrameType.settle:
    case FrameType.window:
      takeChannelFrame(home, bytes, type, flags, channelId, correlation, from, to)
      return
    case FrameType.heartbeat:
      if (checkHeartbeat(bytes, from, to) !== 0) home.fail('frameMalformed', 'HEARTBEAT has no body')
      return
    default:
      carryOut(home, bytes, type, channelId, correlation, from, to)
      home.changed()
  }
}

function takeChannelFrame(
  home: FrameHome,
  bytes: Uint8Array,
  type: typeof FrameType.publish | typeof FrameType.settle | typeof FrameType.window,
  flags: number,
  channelId: number,
  correlation: number,
  from: number,
  to: number,
): void {
  const channel = home.channels.find(channelId, correlation)
  if (channel === undefined) return
  switch (type) {
    case FrameType.publish: {
      if (checkPublish(bytes, from, to) !== 0) {
        home.fail('frameMalformed', 'PUBLISH does not have the layout of clause 4.1')
        return
      }
      const fault = channel.publishing.publish(bytes, flags, from, to)
      if (fault === undefined) return
      if (fault.code === 'frameMalformed') home.fail(fault.code, fault.message)
      else home.channels.fail(channel, fault.code, fault.message)
      return
    }
    case FrameType.settle: {
      if (checkSettle(bytes, from, to) !== 0) {
        home.fail('frameMalformed', 'SETTLE does not have the layout of clause 5.4')
        return
      }
      const refusal = channel.settle(bytes, from, to)
      if (refusal !== undefined) home.replies.answer(channelId, correlation, refusal)
      else if (correlation !== 0) home.replies.answer(channelId, correlation, {}, channel.broker.journal.gate)
      home.changed()
      return
    }
    case FrameType.window:
      if (checkWindow(bytes, from, to) !== 0) {
        home.fail('frameMalformed', 'WINDOW does not have the layout of clause 5.3')
        return
      }
      channel.window(windowConsumer(bytes, from), windowMessageCount(bytes, from), windowSize(bytes, from))
      home.changed()
  }
}
