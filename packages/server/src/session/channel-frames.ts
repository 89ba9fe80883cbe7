// Hot: every PUBLISH, SETTLE and WINDOW.
/** The binary frames of a channel: found good by their layout, and handed to the channel. Whoever breaks the layout ends the connection. */
import {
  checkPublish,
  checkSettle,
  checkWindow,
  type ErrorName,
  FrameType,
  windowConsumer,
  windowMessageCount,
  windowSize,
} from '@waybill/protocol'
import type { ChannelTable } from './channel-table.js'
import type { Replies } from './replies.js'

export interface ChannelFrameHome {
  readonly channels: ChannelTable
  readonly replies: Replies
  changed(): void
  fail(name: ErrorName, message: string): void
}

export type ChannelFrameType = typeof FrameType.publish | typeof FrameType.settle | typeof FrameType.window

/** The header of the frame has been found good by `frameFault`. */
export function takeChannelFrame(
  home: ChannelFrameHome,
  bytes: Uint8Array,
  type: ChannelFrameType,
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
      else if (correlation !== 0) home.replies.answer(channelId, correlation, {})
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
