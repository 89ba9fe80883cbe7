/**
 * What the broker says on one connection, compared with what it must say. Every frame is judged when the broker writes it, whether or
 * not it ever arrives.
 */
import { type ErrorName, errorByCode, FrameType } from '@waybill/protocol'
import { expect, fail } from '../failure.js'
import { type ConfirmException, type ConfirmRun, type ExpectedChannel, tellId } from './channel.js'
import { messageName, type PlainFrame, PlainReader, plainRecords } from './frames.js'
import type { SessionHome } from './home.js'
import type { Json } from './requests.js'
import { type ExpectedSession, waitsForDisk } from './session.js'

/** How a peer has broken the protocol, and what it must be told: an error of the connection, a line of text, another version. */
export type Breach = readonly (ErrorName | 'text' | 'version')[]

const redeliveredFlag = 0x02
const countsFlag = 0x04
/** A timer may be so late. */
const lateMsMax = 200

export class Told {
  readonly #session: ExpectedSession
  readonly #reader = new PlainReader()
  #breach: Breach | undefined
  #text = ''
  /** Written before HELLO came, first. */
  #first: Buffer | undefined
  /** The batch in which it was told that the broker drains. */
  #drainsSince = Infinity
  /** When something was written last, and how long the broker had been held up by then. */
  #writtenAt = 0
  #stalledBefore = 0
  /** When the broker last had bytes of it, or did not want any, and how long it had been held up by then. */
  #heardAt = 0
  #stalledByThen = 0
  /** The error that ends the connection has been told. */
  #lastWord: string | undefined
  /** The peer has asked for the end of the connection, and was told that it comes. */
  #hasClosed = false

  constructor(session: ExpectedSession) {
    this.#session = session
  }

  /** The peer will break the protocol, and must be told so. */
  breaks(breach: Breach): void {
    this.#breach ??= breach
  }

  /** Who has said nothing for half of the heartbeat interval says HEARTBEAT; who has heard nothing for two of them gives up. [P-7.1] */
  turnEnds(): void {
    const { home, state, connection } = this.#session
    if (state !== 'open' || this.heartbeatMs === 0 || this.#lastWord !== undefined || connection.broker.isClosing) return
    if (connection.up.isPaused) this.heard()
    const silentMs = home.now - this.#writtenAt - (home.stalledMs - this.#stalledBefore)
    expect(
      silentMs <= this.heartbeatMs / 2 + lateMsMax,
      'heartbeat',
      () => `connection ${connection.number} has been told nothing for ${silentMs} ms`,
    )
    const deafMs = home.now - this.#heardAt - (home.stalledMs - this.#stalledByThen)
    expect(
      deafMs <= 2 * this.heartbeatMs + lateMsMax,
      'heartbeat',
      () => `connection ${connection.number} has said nothing for ${deafMs} ms, and is not given up`,
    )
  }

  /** Something has arrived. */
  heard(): void {
    this.#heardAt = this.#session.home.now
    this.#stalledByThen = this.#session.home.stalledMs
  }

  written(bytes: Buffer): void {
    this.#writtenAt = this.#session.home.now
    this.#stalledBefore = this.#session.home.stalledMs
    if (this.#session.state === 'preface') this.#first ??= bytes
    if (this.#breach?.includes('text') && this.#session.inbox.isBroken) {
      this.#text += bytes.toString('latin1')
      return
    }
    expect(this.#lastWord === undefined, 'last word', () => `something follows the error ${this.#lastWord}, which ends the connection`)
    for (const frame of this.#reader.push(bytes)) this.#told(frame)
  }

  /** The broker ends the connection: because it was asked to, or with an error that says why. */
  ended(): void {
    const { connection, inbox, state, home } = this.#session
    if (state === 'over' || connection.client.isLeaving) return
    const { number } = connection
    if (!inbox.isBroken || this.#breach === undefined) {
      const isExplained = this.#hasClosed || this.#lastWord !== undefined || home.draining || this.#wasTooQuiet
      expect(isExplained, 'fault', () => `connection ${number} is ended, ${state}; nobody has asked for it, and no error says why`)
      return
    }
    if (this.#breach.includes('text'))
      expect(/^[^\r\n]+\r\n$/.test(this.#text), 'fault', () => `connection ${number}: not one line: ${this.#text}`)
    else if (this.#breach.includes('version'))
      expect(this.#reader.preface?.[7] === 1, 'fault', () => `connection ${number}: the version was not refused`)
    else expect(this.#lastWord !== undefined, 'fault', () => `connection ${number} is ended without ${this.#breach!.join(' or ')}`)
  }

  /** Who has not even sent the preface in time is told so in a line of text. */
  get #wasTooQuiet(): boolean {
    const { state, openedAt, home } = this.#session
    if (state !== 'preface' || home.now - openedAt < home.limits.handshakeMs) return false
    return /^[^\r\n]+\r\n$/.test(this.#first?.toString('latin1') ?? '')
  }

  /** Everything that it was told of a broken protocol. */
  get wasTold(): boolean {
    return this.#lastWord !== undefined || this.#text !== '' || this.#reader.preface?.[7] === 1
  }

  /** Nothing is on its way any more: what was asked is answered, what was published decided. */
  atRest(): void {
    const { connection, waiting, errors, channels } = this.#session
    const { number } = connection
    const unanswered = [...waiting.values()].map(({ name, frame }) => `${name} on channel ${frame.channel}`)
    expect(unanswered.length === 0, 'answer', () => `connection ${number} waits for the answers of ${unanswered.join(', ')}`)
    expect(errors.length === 0, 'error', () => `connection ${number} was not told ${errors[0]!.name}`)
    for (const { isUntold, undecided } of channels.values())
      expect(!isUntold, 'confirm', () => `connection ${number} was not told what became of sequence ${undecided[0]!.sequence}`)
  }

  #told(frame: PlainFrame): void {
    const { channel: id, type, body } = frame
    const { tally, now } = this.#session.home
    switch (type) {
      case FrameType.heartbeat:
        tally.count('told heartbeat')
        return
      case FrameType.result:
        this.#answered(frame, JSON.parse(body.toString()) as Json)
        return
      case FrameType.error:
        this.#error(frame, JSON.parse(body.toString()) as Json)
        return
      case FrameType.status: {
        const { state } = JSON.parse(body.toString()) as Json
        tally.count(`told ${state}`)
        if (state === 'draining') this.#drainsSince = this.#session.home.batch
        return
      }
    }
    const channel = this.#session.channels.get(id) ?? this.#session.late.get(id)
    if (channel === undefined) fail('frame', `a frame of type ${type} on channel ${id}, which is not open`)
    if (type === FrameType.credit) channel.credit(Number(body.readBigUInt64BE(0)), Number(body.readBigUInt64BE(8)))
    else if (type === FrameType.confirm) confirmed(this.#session.home, channel, body)
    else if (type === FrameType.cancelled) this.#cancelled(channel, JSON.parse(body.toString()) as Json)
    else if (type === FrameType.deliver) this.#delivered(channel, frame)
    else fail('frame', `the broker sends a frame of type ${type} at ${now}`)
  }

  // ─── answers ────────────────────────────────────────────────────────────

  #answered(frame: PlainFrame, result: Json): void {
    const { name, answer, stamp } = this.#waited(frame)
    const { home } = this.#session
    const asked = (): string => `${name} on connection ${this.#session.connection.number}, channel ${frame.channel}`
    if ('refusal' in answer) fail('answer', `${asked()} is answered ${JSON.stringify(result)}, expected: ${answer.refusal}`)
    const wrong = answer.test(result)
    expect(wrong === undefined, 'answer', () => `${asked()} is answered ${JSON.stringify(result)}, expected: ${wrong}`)
    if (name === 'hello') {
      this.heartbeatMs = result.heartbeatMs as number
      this.heard()
    }
    if (name === 'close' && frame.channel === 0) this.#hasClosed = true
    home.tally.count(`answered ${name}`)
    if (home.keeps && waitsForDisk(name)) home.safeThrough(stamp)
  }

  #waited({ correlation, channel }: PlainFrame) {
    const { waiting } = this.#session
    const waited = waiting.get(correlation) ?? fail('answer', `an answer to ${correlation}, which nobody waits for`)
    expect(waited.frame.channel === channel, 'answer', () => `an answer to channel ${waited.frame.channel} comes on channel ${channel}`)
    if (waited.inOrder) {
      for (const [other, { frame, inOrder, name }] of waiting) {
        if (other === correlation) break
        if (inOrder && frame.channel === channel) fail('answer', `${waited.name} is answered before the ${name} that came first`)
      }
    }
    waiting.delete(correlation)
    return waited
  }

  #error(frame: PlainFrame, { code, name, scope, message }: Json): void {
    const { tally } = this.#session.home
    expect(errorByCode(code as number)?.name === name, 'error', () => `error ${code} is called ${name}`)
    if (frame.correlation !== 0) {
      const { name: request, answer, stamp } = this.#waited(frame)
      const expected = 'refusal' in answer ? answer.refusal : (answer.or?.refusal ?? 'a result')
      const { home } = this.#session
      const isOfDisk = name === 'storageFailed' && home.keeps && waitsForDisk(request) && home.wasDiskOutSince(stamp)
      if ('or' in answer && !isOfDisk) answer.or?.undo()
      expect(
        expected === name || isOfDisk,
        'answer',
        () => `${request} on channel ${frame.channel} is refused with ${name} (${message}), expected: ${expected}`,
      )
      tally.count(`answered ${request} ${name}`)
      if (scope === 'connection') this.#lastWord = name as string
    } else if (scope === 'connection') this.#ends(name as ErrorName, message as string)
    else {
      const { errors } = this.#session
      const i = errors.findIndex(({ channel }) => channel === frame.channel)
      expect(
        i >= 0 && errors[i]!.name === name,
        'error',
        () => `${name} (${message}) on channel ${frame.channel}, expected: ${errors[i]?.name ?? 'nothing'}`,
      )
      errors.splice(i, 1)
      tally.count(`told ${name}`)
    }
  }

  /** The connection is ended by an error: only for what the peer has done, or for time that has really gone by. */
  #ends(name: ErrorName, message: string): void {
    const { connection, home, openedAt, inbox } = this.#session
    const { partialSince, isBroken } = inbox
    const { now, limits } = home
    const { heartbeatMs } = this
    const silentMs = now - Math.floor(connection.broker.arrivedAt)
    const reasons: Partial<Record<ErrorName, boolean>> = {
      heartbeatTimeout: heartbeatMs > 0 && silentMs >= 2 * heartbeatMs && !connection.up.isReadable,
      frameTimeout: partialSince >= 0 && now - partialSince >= limits.frameMs,
      handshakeTimeout: this.#session.state !== 'open' && now - openedAt >= limits.handshakeMs,
      shuttingDown: home.draining,
    }
    const isDeserved = (isBroken && this.#breach?.includes(name)) || reasons[name] === true
    expect(
      isDeserved,
      'fault',
      () =>
        `connection ${connection.number} is ended by ${name} (${message}); it has been silent for ${silentMs} ms, ${connection.up.size} bytes wait unread, ${connection.broker.pendingSize} to be taken`,
    )
    home.tally.count(`ended by ${name}`)
    this.#lastWord = name
  }

  /** What the HELLO answer said. */
  heartbeatMs = 0

  // ─── deliveries ─────────────────────────────────────────────────────────

  #delivered(channel: ExpectedChannel, { flags, body }: PlainFrame): void {
    const { home, connection } = this.#session
    const { batch, now, tally } = home
    const stamp = ++home.stamp
    const count = body.readUInt32BE(16)
    const consumer =
      channel.consumer(body.readUInt32BE(20)) ?? fail('frame', `a delivery to consumer ${body.readUInt32BE(20)}, which was never there`)
    const hasCounts = (flags & countsFlag) !== 0
    const redelivered = (flags & redeliveredFlag) !== 0
    expect(hasCounts || !redelivered, 'frame', () => 'REDELIVERED without COUNTS')
    expect(
      batch <= this.#drainsSince,
      'drain',
      () => `a delivery to connection ${connection.number} after it was told that the broker drains`,
    )
    const deliveryCount = hasCounts ? body.readUInt32BE(24) : 1
    const failureCount = hasCounts ? body.readUInt32BE(28) : 0
    const records = plainRecords(body, hasCounts ? 32 : 24)
    expect(records.length === count, 'frame', () => `a delivery of ${count} holds ${records.length} records`)
    let tag = Number(body.readBigUInt64BE(0))
    let id = Number(body.readBigUInt64BE(8))
    const isLate = !this.#session.channels.has(channel.id)
    for (const record of records) {
      expect(tag === channel.lastTag + 1, 'frame', () => `tag ${tag} follows ${channel.lastTag}`)
      const copy = consumer.queue.find(messageName(record), id, (message, of) => home.canHaveId(message, of))
      tellId(copy.message, id)
      expect(
        copy.message.record.equals(record.bytes),
        'damaged',
        () => `message ${copy.message.name} of queue '${consumer.queue.name}' is not as it was published`,
      )
      consumer.takes(record.bytes.length)
      const { queue, ack } = consumer
      queue.delivered(copy, connection.number, ack, { redelivered, deliveryCount, failureCount }, { batch, now, stamp })
      if (isLate) {
        if (ack === 'manual') queue.settled(copy, 'requeue', { batch, now, stamp }, -1)
      } else channel.unsettled.set(tag, { consumer, copy, size: record.bytes.length })
      channel.lastTag = tag++
      id++
    }
    tally.count('deliveries', count)
    if (redelivered) tally.count('redeliveries', count)
    if (consumer.ack === 'none') tally.count('deliveries without settlement', count)
  }

  #cancelled(channel: ExpectedChannel, { consumer: id, reason }: Json): void {
    const consumer = channel.consumers.get(id as number) ?? fail('cancel', `consumer ${id} is ended (${reason}), and was never there`)
    expect(
      consumer.queue.deleted && !consumer.endTold,
      'cancel',
      () => `consumer ${id} of queue '${consumer.queue.name}' is ended: ${reason}`,
    )
    consumer.endTold = true
    this.#session.home.tally.count('told cancelled')
  }
}

function confirmed(home: SessionHome, channel: ExpectedChannel, body: Buffer): void {
  const runs: ConfirmRun[] = []
  const exceptions: ConfirmException[] = []
  let at = 32
  for (let i = body.readUInt32BE(24); i > 0; i--, at += 24) {
    runs.push({
      first: Number(body.readBigUInt64BE(at)),
      id: Number(body.readBigUInt64BE(at + 8)),
      count: body.readUInt32BE(at + 16),
      queueCount: body.readUInt16BE(at + 20),
      level: body[at + 22]!,
    })
  }
  for (let i = body.readUInt32BE(28); i > 0; i--) {
    const end = at + 16 + body.readUInt16BE(at + 10)
    exceptions.push({
      sequence: Number(body.readBigUInt64BE(at)),
      name: errorByCode(body.readUInt16BE(at + 8))?.name,
      detail: body.toString('utf8', at + 16, end),
    })
    at = end
  }
  expect(at === body.length, 'frame', () => `a CONFIRM of ${body.length} bytes has parts up to ${at}`)
  channel.credit(Number(body.readBigUInt64BE(8)), Number(body.readBigUInt64BE(16)))
  channel.decide(home, Number(body.readBigUInt64BE(0)), runs, exceptions)
  for (const { name } of exceptions) home.tally.count(`refused ${name}`)
}
