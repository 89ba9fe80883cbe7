/**
 * Crash states: what a disk may have after a power cut at any moment, made from a recording, each opened by recovery. It never throws, never says that something is
 * damaged, never loses what was synced, and never takes what was torn for something that was written.
 */
import { connect } from '@waybill/client'
import { readBody } from '../body.mjs'
import { CrashStates, stateKinds } from '../crash-states.mjs'
import { openBroker } from '../embedded.mjs'
import { Ledger } from '../ledger.mjs'
import { connectOptions } from '../load.mjs'
import { RecordedDisk } from '../recorded-disk.mjs'
import { Delays } from '../delays.mjs'
import { bindingName, Recording, recordedQueues } from '../recording.mjs'

const statesOfOne = 250
/** Long enough for segments that are given back, and for messages that are moved out of them. */
const recordingMs = 2_000
/** In the middle of all states: so many messages, and so many that have to be there, that must not be, and names that have to be. */
const least = { delivered: 50, owed: 50, settled: 50, named: 5 }

export const crashStates = {
  name: 'crash states',
  amount: 2_000,
  amountShort: 80,
  async run({ random }, amount) {
    const began = performance.now()
    const ledger = new Ledger({ queues: [] })
    const report = { name: this.name, times: 0, ledger }
    const delays = new Delays(ledger)
    const looked = { delivered: 0, owed: 0, settled: 0, named: 0 }
    const kinds = new Map(stateKinds.map((kind) => [kind, 0]))
    let eventCount = 0
    try {
      while (report.times < amount) {
        const recording = await new Recording(random.fork()).make(recordingMs)
        for (const problem of recording.problems) ledger.broke(`while it was recorded: ${problem}`)
        ledger.confirmedCount += recording.messages.filter(
          (message) => message !== undefined && [...message.queues.values()].some(({ owed }) => owed.length > 0),
        ).length
        const states = new CrashStates(recording.disk.events)
        eventCount += states.count
        for (let i = 0; i < statesOfOne && report.times < amount; i++, report.times++) {
          const count = moment(states, random)
          const kind = random.pick(stateKinds)
          kinds.set(kind, kinds.get(kind) + 1)
          const problemsBefore = ledger.problems.length
          const openedMs = await open(recording, states.build(count, kind, random), count, ledger, looked, random.chance(0.1))
          delays.add('opening a state', openedMs)
          if (ledger.problems.length > problemsBefore)
            ledger.problems.push(`    … in state '${kind}' behind event ${count} of ${states.count}`)
        }
      }
    } catch (error) {
      ledger.broke(error.stack)
    }
    looked.delivered = ledger.deliveredCount
    for (const [what, count] of Object.entries(looked)) {
      if (count < least[what] * report.times) ledger.broke(`${count} ${what} in ${report.times} states: this has shown too little`)
    }
    report.notes = [
      `${looked.owed.toLocaleString('en')} had to be there, ${looked.settled.toLocaleString('en')} must not, ${looked.named.toLocaleString('en')} names had to`,
      `${[...kinds].map(([kind, count]) => `${count} ${kind}`).join(', ')}; of ${eventCount} events`,
    ]
    return { ...report, restartMs: delays.list, ms: performance.now() - began }
  },
}

/** Anywhere; names change seldom, and are worth a look each time. */
function moment(states, random) {
  for (let tries = 0; tries < 40; tries++) {
    const at = random.whole(0, states.count - 1)
    if (tries > 4 || states.isName(at) || random.chance(0.3)) return random.chance(0.5) ? at : at + 1
  }
  return states.count
}

/** Opens a state and looks at all that is in it; milliseconds until it was open. */
async function open(recording, files, count, ledger, looked, twice) {
  const disk = new RecordedDisk({ files })
  const began = performance.now()
  const first = await contentsOf(recording, disk, ledger)
  if (first === undefined) return 0
  check(recording, first, count, ledger, looked)
  if (twice) {
    const second = await contentsOf(recording, disk, ledger)
    if (second !== undefined && !isSame(first, second)) ledger.broke('a second recovery has found something else')
  }
  return first.openedAt - began
}

/** What is in the queues, by name; undefined: it cannot be opened. */
async function contentsOf(recording, disk, ledger) {
  let broker
  try {
    broker = await openBroker(
      disk,
      (level, event, fields) => {
        if (level === 'error') ledger.broke(`${event} ${JSON.stringify(fields)}`)
      },
      { spareCount: 0 },
    )
  } catch (error) {
    ledger.broke(`it cannot be opened: ${error.stack}`)
    return undefined
  }
  const openedAt = performance.now()
  let connection
  try {
    connection = await connect(broker, { ...connectOptions, recovery: false })
    const listed = await connection.list('queues')
    const exchanges = (await connection.list('exchanges')).map(({ exchange }) => exchange)
    const bindings = (await connection.list('bindings')).map(({ source, key, target }) => bindingName(source, key, target))
    const names = {
      queue: new Set(listed.map(({ queue }) => queue)),
      exchange: new Set(exchanges.filter((name) => name !== '')),
      binding: new Set(bindings),
    }
    const queues = new Map()
    for (const { queue, messageCount } of listed) queues.set(queue, await messagesOf(connection, queue, messageCount, recording, ledger))
    return { openedAt, queues, names }
  } finally {
    broker.kill()
    await connection?.close({ timeoutMs: 1 }).catch(() => undefined)
  }
}

/** All messages of a queue, as they come. */
async function messagesOf(connection, queue, messageCount, recording, ledger) {
  const messages = []
  if (messageCount === 0) return messages
  let timer
  await new Promise((resolve) => {
    timer = setTimeout(resolve, 10_000)
    const take = ({ content, redelivered, id }) => {
      const said = readBody(content)
      if (said === undefined) ledger.problem('damaged', `${id} of '${queue}' is not what was published`)
      else if (said.run !== recording.run) ledger.problem('invented', `${id} of '${queue}'`)
      else messages.push({ n: said.n, redelivered })
      ledger.deliveredCount++
      if (messages.length === messageCount) resolve()
    }
    connection.consume(queue, take, { ack: 'manual', prefetch: 65_535, prefetchSize: 2 ** 30, concurrency: Infinity }).catch(resolve)
  })
  clearTimeout(timer)
  if (messages.length !== messageCount) ledger.broke(`'${queue}' says that it has ${messageCount} messages, and gives ${messages.length}`)
  return messages
}

function check(recording, { queues, names }, count, ledger, looked) {
  for (const { kind, name, declaredAt, deletedFrom, deletedAt } of recording.names) {
    const isOwed = declaredAt <= count && count < deletedFrom
    if (isOwed) looked.named++
    if (isOwed && !names[kind].has(name)) ledger.problem('lost', `${kind} '${name}'`)
    if (deletedAt <= count && names[kind].has(name)) ledger.problem('returned', `${kind} '${name}'`)
  }
  for (const [kind, there] of Object.entries(names)) {
    const known = new Set(recording.names.filter((name) => name.kind === kind).map(({ name }) => name))
    for (const name of there) if (!known.has(name)) ledger.problem('invented', `${kind} '${name}'`)
  }
  for (const queue of recordedQueues) {
    const there = new Set()
    let last = 0
    for (const { n, redelivered } of queues.get(queue) ?? []) {
      const message = recording.messages[n]
      const entry = message?.queues.get(queue)
      if (entry === undefined || message.sentAt >= count || there.has(n)) ledger.problem('invented', `message ${n} in '${queue}'`)
      else if (entry.answeredAt <= count) ledger.problem('returned', `message ${n} in '${queue}'`)
      else if (entry.deliveredAt < count && !redelivered) ledger.problem('unflagged', `message ${n} in '${queue}'`)
      if (n < last) ledger.problem('disordered', `message ${n} behind ${last} in '${queue}'`)
      last = n
      there.add(n)
    }
    for (const { n, queues: entries } of recording.messages.slice(1)) {
      const entry = entries.get(queue)
      if (entry === undefined) continue
      if (entry.answeredAt <= count) looked.settled++
      if (!entry.isOwedAt(count)) continue
      looked.owed++
      if (!there.has(n)) ledger.problem('lost', `message ${n} of '${queue}'`)
    }
  }
}

function isSame(one, other) {
  const said = ({ queues, names }) =>
    JSON.stringify([
      [...queues].map(([name, messages]) => [name, messages.map(({ n }) => n)]).sort(),
      ...Object.values(names).map((there) => [...there].sort()),
    ])
  return said(one) === said(other)
}
