/** A transport that keeps what is written, and slabs with records in them: for tests of what is written where. */
import { encodeName, FrameReader, recordSizeOf, writeRecord } from '@waybill/protocol'
import { describeFrame, type FrameNotation } from '@waybill/protocol/testing'
import { Slabs } from '../../dist/broker/store/slabs.js'
import { Output } from '../../dist/session/output.js'
import { PaperTransport } from './paper-transport.js'

export function wire() {
  const slabs = new Slabs()
  const transport = new PaperTransport('paper:1', true)
  transport.handler = { ingest() {}, landing: () => undefined, written() {}, ended() {}, closed() {} }
  return { slabs, transport, output: new Output(slabs) }
}

/** Frames that have arrived. */
export function framesOf(transport: PaperTransport): FrameNotation[] {
  const bytes = Buffer.concat(transport.arrived)
  transport.arrived = []
  const frames: FrameNotation[] = []
  const reader = new FrameReader({ frame: (...frame) => frames.push(describeFrame(...frame)) }, 2 ** 30)
  if (reader.scan(bytes, 0, bytes.length) !== bytes.length) throw new Error('bytes are left')
  return frames
}

const exchange = encodeName('')
const key = encodeName('q')

/** Puts a record with this body into the current slab. */
export function storeRecord(slabs: Slabs, text: string | Buffer): { slab: number; offset: number; size: number } {
  const body = Buffer.from(text)
  const size = recordSizeOf(exchange, key, undefined, body.length)
  const record = Buffer.alloc(size)
  writeRecord(record, 0, exchange, key, undefined, false, body, 0, body.length)
  slabs.append(record, 0, size)
  slabs.retain(slabs.slab, size)
  return { slab: slabs.slab, offset: slabs.offset, size }
}
