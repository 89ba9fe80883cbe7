/** Writers of hot frames: what they write is drawn in the vectors; here is where they write it, and at what edge. */
import t from 'tap'
import {
  checkConfirm,
  checkCredit,
  checkDeliver,
  checkHeartbeat,
  checkPublish,
  checkSettle,
  checkWindow,
  confirmRunStart,
  creditFrameSize,
  deliverHeaderSize,
  Flag,
  FrameReader,
  heartbeatFrameSize,
  Level,
  noDelay,
  Outcome,
  publishHeaderSize,
  recordHeaderSize,
  recordsFill,
  runQueueCount,
  settleEntrySize,
  settleFrameSize,
  u64Max,
  viewOf,
  windowFrameSize,
  writeConfirmException,
  writeConfirmHeader,
  writeConfirmRun,
  writeCredit,
  writeDeliverHeader,
  writeHeartbeat,
  writePublishHeader,
  writeRecord,
  writeSettleEntry,
  writeSettleHeader,
  writeWindow,
} from '@waybill/protocol'

const none = new Uint8Array(0)

t.test('hot frames - each is written where it is told and nowhere else', async (t) => {
  const writers: Record<string, (target: Buffer, at: number) => number> = {
    publish: (target, at) => record(target, writePublishHeader(target, at, Flag.confirm, 1, 5, 1, recordHeaderSize)),
    deliver: (target, at) => record(target, writeDeliverHeader(viewOf(target), at, 0, 1, 5, 6, 1, 7, 1, 0, recordHeaderSize)),
    redeliver: (target, at) =>
      record(target, writeDeliverHeader(viewOf(target), at, Flag.counts | Flag.redelivered, 1, 5, 6, 1, 7, 2, 1, recordHeaderSize)),
    settle: (target, at) =>
      writeSettleEntry(target, writeSettleHeader(target, at, 1, 0, settleEntrySize), 1, 1, Outcome.ack, noDelay, undefined),
    'settle, answered': (target, at) =>
      writeSettleEntry(target, writeSettleHeader(target, at, 1, 9, settleEntrySize + 2), 1, 1, Outcome.reject, noDelay, Buffer.from('no')),
    confirm: (target, at) => {
      const runs = writeConfirmHeader(target, at, 1, 5, 6, 7, 1, 1, 24 + 16 + 2)
      return writeConfirmException(target, writeConfirmRun(target, runs, 1, 1, 4, 1, Level.received), 5, 312, 0, Buffer.from('no'))
    },
    credit: (target, at) => writeCredit(target, at, 1, 5, 6),
    window: (target, at) => writeWindow(target, at, 1, 5, 6, 7),
    heartbeat: (target, at) => writeHeartbeat(target, at),
  }
  for (const [name, write] of Object.entries(writers)) {
    const target = Buffer.alloc(150, 0xee)
    const end = write(target, 11)
    t.equal(target.readUInt32BE(11), end - 15, `${name}: its size is what was written`)
    t.ok(
      target.subarray(0, 11).every((byte) => byte === 0xee),
      `${name}: nothing before it`,
    )
    t.ok(
      target.subarray(end).every((byte) => byte === 0xee),
      `${name}: nothing behind it`,
    )
    let frames = 0
    const reader = new FrameReader({ frame: () => frames++ }, 1000)
    t.equal(reader.scan(target, 11, end), end)
    t.equal(frames, 1)
  }
})

t.test('hot frames - the sizes that are told in advance are those that are written', async (t) => {
  const target = Buffer.alloc(100)
  t.equal(writeCredit(target, 0, 1, u64Max, u64Max), creditFrameSize)
  t.equal(writeWindow(target, 0, 1, 0xffffffff, 0xffffffff, 0xffffffff), windowFrameSize)
  t.equal(writeHeartbeat(target, 0), heartbeatFrameSize)
  t.equal(writeSettleHeader(target, 0, 1, 0, 20) + 20, settleFrameSize(0, 20))
  t.equal(writeSettleHeader(target, 0, 1, 3, 20) + 20, settleFrameSize(3, 20))
})

t.test('confirm - more than 65,535 queues are sent as 65,535', async (t) => {
  const target = Buffer.alloc(100)
  for (const [queues, sent] of [
    [65_534, 65_534],
    [65_535, 65_535],
    [65_536, 65_535],
    [1_000_000, 65_535],
  ]) {
    writeConfirmRun(target, confirmRunStart(0, 0), 1, 1, 1, queues, Level.received)
    t.equal(runQueueCount(target, confirmRunStart(0, 0)), sent)
  }
})

t.test('hot frames - no check reads beyond its range or throws, whatever the bytes', async (t) => {
  const bytes = Buffer.alloc(64, 0xff)
  for (const fill of [0x00, 0x01, 0x7f, 0x80, 0xff]) {
    bytes.fill(fill)
    for (let size = 0; size <= 64; size++) {
      for (const check of [checkPublish, checkSettle, checkConfirm, checkCredit, checkWindow, checkHeartbeat])
        t.match(check(bytes, 0, size), /^(0|501)$/)
      for (const flags of [0, Flag.redelivered, Flag.counts, Flag.redelivered | Flag.counts])
        t.match(checkDeliver(bytes, flags, 0, size), /^(0|501)$/)
    }
  }
})

t.test('run - records fill a frame when their sizes add up, and only then', async (t) => {
  const bytes = Buffer.alloc(100)
  let end = writeRecord(bytes, 0, none, none, undefined, false, none, 0, 0)
  end = writeRecord(bytes, end, none, none, undefined, false, Buffer.from('body'), 0, 4)
  t.ok(recordsFill(bytes, 0, end, 2))
  for (const count of [0, 1, 3, 0xffffffff]) t.notOk(recordsFill(bytes, 0, end, count))
  for (let cut = 0; cut < end; cut++) t.notOk(recordsFill(bytes, 0, cut, 2))
  t.notOk(recordsFill(bytes, 0, end + 1, 2))
  bytes.writeUInt32BE(0xffffffff, 16)
  t.notOk(recordsFill(bytes, 0, end, 2))
  bytes.writeUInt32BE(11, 16)
  t.notOk(recordsFill(bytes, 0, 31, 2), 'a record has at least its fixed part')
})

function record(target: Buffer, at: number): number {
  t.ok(at >= publishHeaderSize && deliverHeaderSize > publishHeaderSize)
  return writeRecord(target, at, none, none, undefined, false, none, 0, 0)
}
