/** What must become of the messages of a PUBLISH frame: routed by the naive names, refused for the reasons of the specification. [P-4] */
import type { ErrorName } from '@waybill/protocol'
import { nameOf, readBody } from '../body.js'
import { fail } from '../failure.js'
import type { ExpectedChannel } from './channel.js'
import { type PlainFrame, type PlainRecord, plainRecords } from './frames.js'
import type { ExpectedQueue, TakenMessage } from './queue.js'
import type { SessionHome } from './session.js'

const confirmFlag = 0x02
const mandatoryFlag = 0x04
const atomicFlag = 0x08

interface Outcome {
  readonly refusal: ErrorName | undefined
  readonly queues: readonly ExpectedQueue[]
  readonly mayExceed: boolean
}

/** False when the sequence is not the one that must come: the channel fails. `exceeds`: the peer may publish beyond its credit. */
export function publish(home: SessionHome, channel: ExpectedChannel, { flags, body }: PlainFrame, exceeds: boolean): boolean {
  const first = Number(body.readBigUInt64BE(0))
  if (first !== channel.publishedSequence + 1) return false
  const records = plainRecords(body, 16)
  home.tally.count('messages published', records.length)
  const each = records.map((record) => outcomeOf(home, channel, record, flags))
  const outcomes = (flags & atomicFlag) === 0 ? each : together(each)
  for (const [i, record] of records.entries()) {
    const { refusal, queues, mayExceed } = outcomes[i]!
    if (mayExceed && !exceeds) {
      const credit = `${channel.creditSequence} messages, ${channel.creditSize} bytes`
      fail('credit', `a client publishes ${channel.publishedSequence} messages, ${channel.publishedSize} bytes; its credit is ${credit}`)
    }
    const message = refusal === undefined ? take(home, record, queues, mayExceed) : undefined
    const wantsConfirm = (flags & confirmFlag) !== 0
    channel.undecided.push({ sequence: first + i, wantsConfirm, refusal, mayExceed, queues, message })
    if (refusal !== undefined) home.tally.count(`refused ${refusal}`)
  }
  return true
}

function outcomeOf(home: SessionHome, channel: ExpectedChannel, record: PlainRecord, flags: number): Outcome {
  const size = record.bytes.length
  channel.publishedSequence++
  channel.publishedSize += size
  const mayExceed = channel.publishedSequence > channel.creditSequence || channel.publishedSize > channel.creditSize
  const refused = (refusal: ErrorName): Outcome => ({ refusal, queues: [], mayExceed })
  const identity = readBody(record.body)
  const spoilt = identity === undefined ? undefined : home.spoiltRecord(nameOf(identity))
  if ((flags & 0x30) >> 4 > 1) return refused('levelUnavailable')
  if (size > home.limits.messageSizeMax) return refused('messageTooLarge')
  if (spoilt !== undefined) return refused(spoilt)
  const { queues, refusal } = home.names.route(record.exchange, record.key, record.headers)
  if (refusal !== undefined) return refused(refusal)
  if ((flags & mandatoryFlag) !== 0 && queues.length === 0) return refused('unroutable')
  return { refusal: undefined, queues, mayExceed }
}

/** One outcome for all. */
function together(outcomes: readonly Outcome[]): readonly Outcome[] {
  const mayExceed = outcomes.some((each) => each.mayExceed)
  const refusal = outcomes.find((each) => each.refusal !== undefined)?.refusal
  return outcomes.map(({ queues }) => ({ refusal, mayExceed, queues: refusal === undefined ? queues : [] }))
}

function take(home: SessionHome, record: PlainRecord, queues: readonly ExpectedQueue[], mayExceed: boolean): TakenMessage {
  const identity = readBody(record.body)
  if (identity === undefined) fail('peer', 'a peer published a body that is none of ours')
  const message = home.take(record, nameOf(identity))
  for (const queue of queues) {
    queue.push(message, home.batch)
    if (mayExceed) queue.blur(home.batch)
  }
  return message
}
