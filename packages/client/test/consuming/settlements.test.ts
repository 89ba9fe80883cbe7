import { FrameReader, noDelay, Outcome } from '@waybill/protocol'
import { describeFrame, type FrameNotation } from '@waybill/protocol/testing'
import t from 'tap'
import { Settlements } from '../../dist/consuming/settlements.js'
import { Outgoing } from '../../dist/session/outgoing.js'

interface Entry {
  firstTag: number
  count: number
  outcome: string
  delayMs: number | null
  reason: string
}

function written(settlements: Settlements, correlation = 0): (FrameNotation & { entries: Entry[] })[] {
  const bytes: Buffer[] = []
  const out = new Outgoing({
    writableLength: 0,
    write: (part) => bytes.push(Buffer.from(part)) > 0,
    end: () => {},
    destroy: () => {},
  })
  settlements.write(out, 3, correlation)
  out.flush()
  const frames: FrameNotation[] = []
  const reader = new FrameReader({ frame: (...frame) => frames.push(describeFrame(...frame)) }, 2 ** 25)
  for (const part of bytes) reader.read(part, 0, part.length)
  return frames as (FrameNotation & { entries: Entry[] })[]
}

function ack(settlements: Settlements, tag: number): void {
  settlements.add(tag, 1, Outcome.ack, noDelay, undefined)
}

t.test('settlements - neighbours with the same outcome are one range', async (t) => {
  const settlements = new Settlements()
  for (let tag = 1; tag <= 1_000; tag++) ack(settlements, tag)
  t.same(written(settlements), [
    { type: 'SETTLE', channel: 3, entries: [{ firstTag: 1, count: 1_000, outcome: 'ack', delayMs: null, reason: '' }] },
  ])
  t.equal(settlements.count, 0)
  t.same(written(settlements), [], 'written once')
})

t.test('settlements - another outcome, delay or reason is a range of its own', async (t) => {
  const settlements = new Settlements()
  ack(settlements, 1)
  settlements.add(2, 1, Outcome.requeue, noDelay, undefined)
  settlements.add(3, 1, Outcome.retry, 500, undefined)
  settlements.add(4, 1, Outcome.retry, 500, undefined)
  settlements.add(5, 1, Outcome.retry, noDelay, undefined)
  settlements.add(6, 1, Outcome.reject, noDelay, 'no address')
  settlements.add(7, 1, Outcome.reject, noDelay, 'no address')
  settlements.add(8, 1, Outcome.reject, noDelay, '')
  ack(settlements, 12)
  ack(settlements, 11)
  t.same(
    written(settlements)[0].entries.map(({ firstTag, count, outcome, delayMs, reason }) => [firstTag, count, outcome, delayMs, reason]),
    [
      [1, 1, 'ack', null, ''],
      [2, 1, 'requeue', null, ''],
      [3, 2, 'retry', 500, ''],
      [5, 1, 'retry', null, ''],
      [6, 1, 'reject', null, 'no address'],
      [7, 1, 'reject', null, 'no address'],
      [8, 1, 'reject', null, ''],
      [12, 1, 'ack', null, ''],
      [11, 1, 'ack', null, ''],
    ],
  )
})

t.test('settlements - thousands in any order are written in frames of bounded size, the last one correlated', async (t) => {
  const settlements = new Settlements()
  const tags = Array.from({ length: 3_000 }, (_, i) => 2 * i + 1)
  for (const tag of tags) ack(settlements, tag)
  const frames = written(settlements, 77)
  t.same(
    frames.flatMap(({ entries }) => entries.map(({ firstTag }) => firstTag)),
    tags,
  )
  t.same(
    frames.map(({ correlation }) => correlation),
    [undefined, undefined, 77],
  )
})

t.test('settlements - asking whether all is safe settles the last one again, which does nothing', async (t) => {
  const settlements = new Settlements()
  ack(settlements, 5)
  written(settlements)
  t.match(written(settlements, 9), [{ correlation: 9, entries: [{ firstTag: 5, count: 1 }] }])
})

t.test('settlements - a long reason is cut between characters', async (t) => {
  const settlements = new Settlements()
  settlements.add(1, 1, Outcome.reject, noDelay, `x${'é'.repeat(1_000)}`)
  const [{ entries }] = written(settlements)
  t.equal(entries[0].reason, `x${'é'.repeat(511)}`)
})
