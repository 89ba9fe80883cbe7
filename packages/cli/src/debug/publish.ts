/**
 * Publishing as a client has to do it: no further than the credit, and done when all is confirmed. [P-4.2, P-4.4, P-4.6]
 *
 *     PUBLISH 1-256 →    ← CREDIT to 512    PUBLISH 257-300 →    ← CONFIRM through 300
 */
import { frameHeaderSize, publishHeaderSize } from '@waybill/protocol'
import { type Draft, encodePublish, encodeRecord, encodeWindow, type PublishFlags } from './encode.js'
import type { Frame } from './frame.js'
import { CommandFailure, type Steps } from './steps.js'
import { answerMs, type Channel, refusal, type Talk, throwIfEnded } from './talk.js'

/** What a PUBLISH frame has around its records; a broker may count it when it looks at a frame that is large. [P-4.6] */
const frameOverhead = frameHeaderSize + publishHeaderSize
/** A frame of many messages is kept to this size, far below what a broker takes. */
const frameSizeAim = 256 * 1024

/** Publishes the message `count` times on the current channel. Throws CommandFailure for the first that was refused. */
export function* publish(talk: Talk, draft: Draft, flags: PublishFlags, count: number): Steps {
  const channel = talk.current()
  const record = encodeRecord(draft)
  const sizeMax = talk.server?.limits.messageSizeMax ?? Number.POSITIVE_INFINITY
  if (record.length > sizeMax)
    throw new CommandFailure('messageTooLarge', `a message of ${record.length} B; this broker takes ${sizeMax} B`, 413)
  if (draft.exchange !== '') talk.names.exchange.add(draft.exchange)

  const last = channel.sequence + count
  const outcome = new Outcome(channel, channel.sequence + 1, last)
  while (channel.sequence < last) {
    const left = last - channel.sequence
    yield* credit(channel, flags.atomic ? left : 1, record.length, outcome)
    const take = flags.atomic
      ? left
      : Math.min(left, covered(channel, record.length), Math.max(1, Math.floor(frameSizeAim / record.length)))
    yield { step: 'send', bytes: encodePublish(channel.number, flags, channel.sequence + 1, record, take) }
    channel.sequence += take
    channel.publishedSize += take * record.length
  }
  if (!flags.confirm) return

  yield { step: 'wait', until: (frame) => outcome.isDecided(frame), timeoutMs: answerMs, for: 'the confirm' }
  outcome.check()
}

/** Waits until the credit covers that many messages of this size; when bytes are missing it says how many. */
function* credit(channel: Channel, count: number, size: number, outcome: Outcome): Steps {
  if (covered(channel, size) >= count) return
  const needed = count * size + frameOverhead
  if (channel.creditSize - channel.publishedSize < needed) yield { step: 'send', bytes: encodeWindow(channel.number, 0, 0, needed) }
  const until = (frame: Frame | undefined): boolean => {
    outcome.isDecided(frame)
    return covered(channel, size) >= count
  }
  yield { step: 'wait', until, timeoutMs: answerMs, for: 'credit' }
}

/** How many messages of this size the credit covers now. */
function covered(channel: Channel, size: number): number {
  return Math.min(
    channel.creditSequence - channel.sequence,
    Math.floor((channel.creditSize - channel.publishedSize - frameOverhead) / size),
  )
}

/** What has become of the messages `first` to `last`, from the CONFIRM frames that come while they are published. */
class Outcome {
  readonly #channel: Channel
  readonly #first: number
  readonly #last: number
  #refusals: { sequence: number; code: number; detail: string }[] = []
  #through = 0

  constructor(channel: Channel, first: number, last: number) {
    this.#channel = channel
    this.#first = first
    this.#last = last
  }

  /** Takes note of a frame. Throws CommandFailure when it says that the channel is closed. */
  isDecided(frame: Frame | undefined): boolean {
    throwIfEnded(frame, this.#channel.number)
    if (frame?.channel !== this.#channel.number || frame.content.kind !== 'confirm') return false
    const { content } = frame
    this.#through = Math.max(this.#through, content.through)
    this.#refusals.push(...content.exceptions.filter(({ sequence }) => sequence >= this.#first && sequence <= this.#last))
    return this.#through >= this.#last
  }

  check(): void {
    const [first, ...others] = this.#refusals
    if (first === undefined) return
    const more = others.length === 0 ? '' : `; and ${others.length} more of these messages were refused`
    throw refusal(first.code, first.detail + more, first.sequence)
  }
}
