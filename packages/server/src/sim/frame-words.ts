/** Frames in words, for the trace of who looks for a fault. */
import { FrameType, frameKind, wireName } from '@waybill/protocol'
import { nameOf, readBody } from './body.js'
import { type PlainFrame, PlainReader, plainRecords } from './checkers/frames.js'

/** Names what comes by on each way of each connection. */
export class FrameWords {
  readonly #readers = new Map<string, PlainReader>()

  /** `way` tells the streams apart. */
  of(way: string, bytes: Buffer): readonly string[] {
    const reader = this.#readers.get(way) ?? new PlainReader()
    this.#readers.set(way, reader)
    return reader.push(bytes).map(words)
  }
}

function words(frame: PlainFrame): string {
  const { type, flags, channel, correlation, body } = frame
  const kind = frameKind(type)
  const name = kind === undefined ? `type ${type}` : wireName(kind.name)
  const head = `${name} ch ${channel}${correlation === 0 ? '' : ` (${correlation})`}${(flags & ~1) === 0 ? '' : ` flags ${flags.toString(16)}`}`
  return `${head} ${details(frame, body)}`.trimEnd()
}

function details({ type, flags }: PlainFrame, body: Buffer): string {
  switch (type) {
    case FrameType.publish:
      return `#${body.readBigUInt64BE(0)}: ${messages(body, 16)}`
    case FrameType.deliver:
      return `tag ${body.readBigUInt64BE(0)}, id ${body.readBigUInt64BE(8)}, consumer ${body.readUInt32BE(20)}: ${messages(body, (flags & 4) === 0 ? 24 : 32)}`
    case FrameType.settle: {
      const entries: string[] = []
      for (let at = 0; at + 20 <= body.length; at += 20 + body.readUInt16BE(at + 14)) {
        entries.push(
          `${body.readBigUInt64BE(at)} x${body.readUInt32BE(at + 8)} outcome ${body[at + 12]} delay ${body.readUInt32BE(at + 16)}`,
        )
      }
      return entries.join('; ')
    }
    case FrameType.confirm:
      return `through ${body.readBigUInt64BE(0)}, credit ${body.readBigUInt64BE(8)}/${body.readBigUInt64BE(16)}, runs ${body.readUInt32BE(24)}, exceptions ${body.readUInt32BE(28)}`
    case FrameType.credit:
      return `${body.readBigUInt64BE(0)}/${body.readBigUInt64BE(8)}`
    case FrameType.window:
      return `consumer ${body.readUInt32BE(0)}: ${body.readUInt32BE(4)}/${body.readUInt32BE(8)}`
    default:
      return body.toString('utf8', 0, 300)
  }
}

function messages(body: Buffer, at: number): string {
  const records = plainRecords(body, at)
  const shown = records.slice(0, 8).map((record) => {
    const identity = readBody(record.body)
    return `${identity === undefined ? '?' : nameOf(identity)}→${record.exchange}/${record.key} ${record.bytes.length} B`
  })
  return `${shown.join(', ')}${records.length > 8 ? ` … ${records.length} in all` : ''}`
}
