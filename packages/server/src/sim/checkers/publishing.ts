/** What must become of the messages of a PUBLISH frame: routed by the naive names, refused for the reasons of the specification. [P-4] */
import type { ErrorName } from '@waybill/protocol'
import { fail } from '../failure.js'
import type { ExpectedChannel } from './channel.js'
import { messageName, type PlainFrame, type PlainRecord, plainRecords } from './frames.js'
import type { TakenMessage } from './copies.js'
import type { ExpectedQueue } from './queue.js'
import type { SessionHome } from './home.js'

const confirmFlag = 0x02
const mandatoryFlag = 0x04
const atomicFlag = 0x08

interface Outcome {
  readonly refusal: ErrorName | undefined
  readonly queues: readonly ExpectedQueue[]
  /** It may be refused for these as well. */
  readonly alternatives: readonly ErrorName[]
  readonly level: number
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
    const { refusal, queues, alternatives, level } = outcomes[i]!
    if (alternatives.includes('creditExceeded') && !exceeds) {
      const credit = `${channel.creditSequence} messages, ${channel.creditSize} bytes`
      fail('credit', `a client publishes ${channel.publishedSequence} messages, ${channel.publishedSize} bytes; its credit is ${credit}`)
    }
    const message = refusal === undefined ? take(home, record, queues, alternatives.length > 0) : undefined
    const wantsConfirm = (flags & confirmFlag) !== 0
    channel.undecided.push({ sequence: first + i, wantsConfirm, refusal, alternatives, queues, message, level })
  }
  return true
}

function outcomeOf(home: SessionHome, channel: ExpectedChannel, record: PlainRecord, flags: number): Outcome {
  const size = record.bytes.length
  channel.publishedSequence++
  channel.publishedSize += size
  const alternatives: ErrorName[] = home.mayBeFull(size) ? ['resourceExhausted'] : []
  if (channel.publishedSequence > channel.creditSequence || channel.publishedSize > channel.creditSize) alternatives.push('creditExceeded')
  const refused = (refusal: ErrorName): Outcome => ({ refusal, queues: [], alternatives, level: 0 })
  const spoilt = home.spoiltRecord(messageName(record))
  const asked = (flags & 0x30) >> 4
  if (asked > 1 && !home.keeps) return refused('levelUnavailable')
  if (size > home.limits.messageSizeMax) return refused('messageTooLarge')
  if (spoilt !== undefined) return refused(spoilt)
  const { queues, refusal } = home.names.route(record.exchange, record.key, record.headers)
  if (refusal !== undefined) return refused(refusal)
  if ((flags & mandatoryFlag) !== 0 && queues.length === 0) return refused('unroutable')
  const isKept = home.keeps && record.persistent && queues.some((queue) => queue.isKept)
  const level = !isKept || asked === 1 ? 1 : asked === 2 ? 2 : 3
  if (isKept) home.tally.count(home.isDiskOut ? 'messages to be kept, the disk out' : 'messages to be kept')
  if (home.isDiskOut && isKept) alternatives.push('storageFailed')
  return { refusal: undefined, queues, alternatives, level }
}

/** One outcome for all. */
function together(outcomes: readonly Outcome[]): readonly Outcome[] {
  const alternatives = [...new Set(outcomes.flatMap((each) => each.alternatives))]
  const refusal = outcomes.find((each) => each.refusal !== undefined)?.refusal
  return outcomes.map(({ queues, level }) => ({ refusal, alternatives, level, queues: refusal === undefined ? queues : [] }))
}

function take(home: SessionHome, record: PlainRecord, queues: readonly ExpectedQueue[], isUnsure: boolean): TakenMessage {
  const message = home.take(record)
  for (const queue of queues) {
    queue.push(message, home.batch)
    if (!isUnsure) continue
    queue.blur(home.batch)
    queue.doubt(message)
  }
  return message
}
