/**
 * What this package says of bytes from a peer, all its checks one behind the other, as a session or a client runs them:
 *
 *     reader → header against the table → layout of the body → records → JSON against its schema
 *
 * The result is frames, "need more" (a rest), or the first named fault. It must never be an exception.
 */
import {
  checkConfirm,
  checkCredit,
  checkDeliver,
  checkHeartbeat,
  checkPublish,
  checkRecord,
  checkSettle,
  checkWindow,
  type ControlName,
  decodeControl,
  deliverCount,
  deliverRecordsStart,
  errorByCode,
  frameFault,
  frameKind,
  FrameReader,
  limits,
  publishCount,
  publishHeaderSize,
  readRecord,
  recordFault,
  recordsFill,
  recordSize,
} from '@waybill/protocol'

export interface Judged {
  readonly type: number
  readonly flags: number
  readonly channel: number
  readonly correlation: number
  /** The frame as it came, without its size field. */
  readonly hex: string
}

export interface Verdict {
  readonly frames: readonly Judged[]
  readonly error: { readonly code: string; readonly message: string } | undefined
  /** Bytes of a frame that is not whole. */
  readonly rest: number
}

type Side = 'client' | 'server'

/** The frames in `bytes`, handed over in pieces that end at `cuts`. */
export function judge(bytes: Buffer, from: Side, options: { opening?: boolean; cuts?: Iterable<number> } = {}): Verdict {
  const frames: Judged[] = []
  let error: Verdict['error']
  const reader = new FrameReader(
    {
      frame(piece, type, flags, channel, correlation, bodyFrom, to) {
        error = frameError(piece, type, flags, channel, bodyFrom, to, from)
        if (error !== undefined) reader.stop()
        else frames.push({ type, flags, channel, correlation, hex: Buffer.from(piece.subarray(bodyFrom, to)).toString('hex') })
      },
    },
    options.opening ? limits.openingFrameSizeMax.value : limits.frameSizeMax.value,
  )
  let at = 0
  for (const cut of [...(options.cuts ?? []), bytes.length]) {
    // Each piece is a buffer of its own, cut to size: what reads beyond it reads undefined, and differs.
    const piece = Buffer.from(bytes.subarray(at, cut))
    if (!reader.read(piece, 0, piece.length)) break
    at = cut
  }
  return { frames, error: reader.fault ?? error, rest: reader.partialSize }
}

export function frameError(
  bytes: Uint8Array,
  type: number,
  flags: number,
  channel: number,
  from: number,
  to: number,
  side: Side,
): Verdict['error'] {
  const fault = frameFault(type, flags, channel, side)
  if (fault !== undefined) return fault
  const kind = frameKind(type)
  if (kind === undefined) return { code: 'unsupported', message: `type ${type}` }
  if (kind.body === 'json') return kind.name === 'result' ? undefined : decodeControl(kind.name as ControlName, bytes, from, to).problem
  const check = checks[kind.name as keyof typeof checks](bytes, flags, from, to)
  if (check !== 0) return { code: errorByCode(check)!.name, message: `the layout of ${kind.name}` }
  if (kind.name === 'publish') return recordsError(bytes, from + publishHeaderSize, to, publishCount(bytes, from), false)
  if (kind.name === 'deliver') return recordsError(bytes, deliverRecordsStart(flags, from), to, deliverCount(bytes, from), true)
  return undefined
}

const checks = {
  publish: (bytes: Uint8Array, _flags: number, from: number, to: number) => checkPublish(bytes, from, to),
  deliver: checkDeliver,
  settle: (bytes: Uint8Array, _flags: number, from: number, to: number) => checkSettle(bytes, from, to),
  confirm: (bytes: Uint8Array, _flags: number, from: number, to: number) => checkConfirm(bytes, from, to),
  credit: (bytes: Uint8Array, _flags: number, from: number, to: number) => checkCredit(bytes, from, to),
  window: (bytes: Uint8Array, _flags: number, from: number, to: number) => checkWindow(bytes, from, to),
  heartbeat: (bytes: Uint8Array, _flags: number, from: number, to: number) => checkHeartbeat(bytes, from, to),
}

function recordsError(bytes: Uint8Array, from: number, to: number, count: number, delivered: boolean): Verdict['error'] {
  if (!recordsFill(bytes, from, to, count)) return { code: 'frameMalformed', message: 'the records do not fill the frame' }
  for (let at = from; at < to; at += recordSize(bytes, at)) {
    const code = checkRecord(bytes, at, to, delivered)
    const fault = recordFault(bytes, at, to, delivered)
    if (code !== 0 || fault !== undefined) {
      if (fault === undefined || errorByCode(code)?.name !== fault.code) throw new Error('checkRecord and recordFault do not agree')
      return fault
    }
    readRecord(bytes, at)
  }
  return undefined
}
