import { limits as spec } from '@waybill/protocol'
import t from 'tap'
import { limitProblems, limitsWith, limitTable, type LimitName } from '../dist/limits.js'

const names = Object.keys(limitTable) as LimitName[]

t.test('limits - every one has a reason, and a default within its range', async (t) => {
  const defaults = limitsWith({}, 512 << 20)
  for (const name of names) {
    const { min, max, why } = limitTable[name]
    t.ok(why.length > 10, name)
    t.ok(defaults[name] >= min && defaults[name] <= max, `${name} ${defaults[name]}`)
  }
})

t.test('limits - the defaults are those of the specification and agree with one another', async (t) => {
  const defaults = limitsWith({}, 64 << 20)
  t.same(limitProblems(defaults), [])
  const asWritten = {
    frameSizeMax: spec.frameSizeMax,
    messageSizeMax: spec.messageSizeMax,
    channelCount: spec.channelCountMax,
    consumerCount: spec.consumerCountMax,
    queueConsumerCount: spec.queueConsumerCountMax,
    connectionCount: spec.connectionCountMax,
    queueCount: spec.queueCountMax,
    exchangeCount: spec.exchangeCountMax,
    bindingCount: spec.bindingCountMax,
    outboxSizeMax: spec.outboxSizeMax,
    outboxStallMs: spec.outboxStallMs,
    handshakeMs: spec.handshakeMs,
    frameMs: spec.frameMs,
    heartbeatMs: spec.heartbeatMs,
  }
  for (const [name, { value }] of Object.entries(asWritten)) t.equal(defaults[name as LimitName], value, name)
  t.equal(defaults.memorySize, 64 << 20)
})

t.test('limits - what is given wins, and a frame grows with the largest message', async (t) => {
  const limits = limitsWith({ messageSizeMax: 32 << 20, queueCount: 5, memorySize: 1 << 30 }, 64 << 20)
  t.equal(limits.queueCount, 5)
  t.equal(limits.memorySize, 1 << 30)
  t.equal(limits.frameSizeMax, (32 << 20) + 65_536)
  t.same(limitProblems(limits), [])
})

t.test('limits - those that contradict one another are named', async (t) => {
  const contradictions: [Parameters<typeof limitsWith>[0], LimitName][] = [
    [{ frameSizeMax: 1 << 20 }, 'frameSizeMax'],
    [{ memorySize: 1 << 20 }, 'messageSizeMax'],
    [{ connectionCount: 10, unauthenticatedPerAddressCount: 1 }, 'unauthenticatedCount'],
    [{ unauthenticatedCount: 10 }, 'unauthenticatedPerAddressCount'],
    [{ heartbeatMs: 1 }, 'heartbeatMs'],
    [{ heartbeatMs: 4_999 }, 'heartbeatMs'],
  ]
  for (const [given, name] of contradictions) {
    const problems = limitProblems(limitsWith(given, 512 << 20))
    t.same(
      problems.map((problem) => problem.name),
      [name],
      JSON.stringify(given),
    )
  }
  for (const heartbeatMs of [0, 5_000, 600_000]) t.same(limitProblems(limitsWith({ heartbeatMs }, 512 << 20)), [])
  t.same(limitProblems(limitsWith({ memorySize: 1 << 20, messageSizeMax: 1 << 19 }, 0)), [], 'at the limit')
})
