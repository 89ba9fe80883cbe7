/** Control frames of an open connection: read by their schema, and carried out by connection, channel, or broker. [P-6] */
import { decodeControl, type ErrorName, FrameType, type ListRequest, type Problem } from '@waybill/protocol'
import { Refusal } from '../broker/refusal.js'
import type { VirtualHost } from '../broker/virtual-host.js'
import type { Access } from './access.js'
import type { ChannelTable } from './channel-table.js'
import { changesNames, commandOf, runCommand } from './commands.js'
import type { Replies } from './replies.js'
import type { Shard } from './shard.js'

export type ListQuery = ListRequest

export interface RequestHome {
  readonly shard: Pick<Shard, 'log'>
  readonly connection: number
  readonly host: VirtualHost
  readonly access: Access
  readonly replies: Replies
  readonly channels: ChannelTable
  list(query: ListQuery): object | Refusal
  /** Ends the connection behind the answer. */
  close(correlation: number): void
  /** Carries out a request on channel 0 in its turn; false when too many wait. */
  inquire(inquiry: () => void): boolean
  fail(name: ErrorName, message: string): void
}

/** The header of the frame has been found good by `frameFault`; its type may be unknown. */
export function carryOut(
  home: RequestHome,
  bytes: Uint8Array,
  type: number,
  channelId: number,
  correlation: number,
  from: number,
  to: number,
): void {
  switch (type) {
    case FrameType.hello:
      home.fail('frameUnexpected', 'HELLO has been said')
      return
    case FrameType.open: {
      const { problem } = decodeControl('open', bytes, from, to)
      home.replies.answer(channelId, correlation, problem === undefined ? home.channels.open(channelId) : refusalOf(problem))
      return
    }
    case FrameType.close:
      close(home, bytes, channelId, correlation, from, to)
      return
    case FrameType.list:
      list(home, bytes, correlation, from, to)
      return
  }
  const name = commandOf(type)
  if (name === undefined) {
    const hex = type.toString(16).padStart(2, '0')
    home.replies.error(channelId, correlation, 'unsupported', `there is no frame type 0x${hex} in this version`)
    return
  }
  const channel = home.channels.find(channelId, correlation)
  if (channel === undefined) return
  const { value, problem } = decodeControl(name, bytes, from, to)
  const { host, connection, access } = home
  const answer = problem === undefined ? runCommand(name, { host, connection, access, channel, correlation }, value) : refusalOf(problem)
  if (answer !== undefined) home.replies.answer(channelId, correlation, answer, changesNames(name) ? channel.broker.journal.gate : 0)
  tell(home, channelId, name, answer)
}

/** What was done, for who wants to see everything; what was not allowed, for everybody. */
function tell({ shard, connection, access }: RequestHome, channel: number, command: string, answer: object | undefined): void {
  if (!(answer instanceof Refusal)) shard.log('debug', 'request', { connection, channel, command })
  else if (answer.name !== 'forbidden')
    shard.log('debug', 'request-refused', { connection, channel, command, error: answer.name, message: answer.message })
  else shard.log('warn', 'request-forbidden', { connection, channel, command, user: access.user, message: answer.message })
}

function close(home: RequestHome, bytes: Uint8Array, channelId: number, correlation: number, from: number, to: number): void {
  const { problem } = decodeControl('close', bytes, from, to)
  const refuse = (problem: Problem) => home.replies.answer(channelId, correlation, refusalOf(problem))
  if (channelId === 0) {
    inTurn(home, correlation, () => (problem === undefined ? home.close(correlation) : refuse(problem)))
    return
  }
  const channel = home.channels.find(channelId, correlation)
  if (channel === undefined) return
  if (problem !== undefined) {
    refuse(problem)
    return
  }
  home.channels.close(channel)
  // Confirms and answers of the channel may wait for the disk: they are told before.
  const gate = channel.publishing.confirms.pending || home.replies.isGated ? channel.broker.journal.gate : 0
  home.replies.answer(channelId, correlation, {}, gate, true)
}

function list(home: RequestHome, bytes: Uint8Array, correlation: number, from: number, to: number): void {
  const { value, problem } = decodeControl('list', bytes, from, to)
  inTurn(home, correlation, () => {
    const denied = home.access.monitorRefusal()
    if (problem !== undefined) home.replies.answer(0, correlation, refusalOf(problem))
    else if (denied !== undefined) home.replies.error(0, correlation, 'forbidden', denied)
    else home.replies.answer(0, correlation, home.list(value))
  })
}

function inTurn(home: RequestHome, correlation: number, act: () => void): void {
  if (!home.inquire(act)) home.replies.error(0, correlation, 'limitExceeded', 'too many requests wait on channel 0; wait for their answers')
}

function refusalOf({ code, message, details }: Problem): Refusal {
  return new Refusal(code, message, details)
}
