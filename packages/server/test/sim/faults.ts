/**
 * Faults that are planted, one in a room, into copies of the compiled packages: the simulation has to find each of them, by the check
 * that is there for it. `npm run sim -- --faults` plants them all.
 */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export interface PlantedFault {
  readonly room: string
  readonly what: string
  /** Below `packages`. */
  readonly file: string
  /** Stands there once. */
  readonly find: string
  readonly put: string
  /** The checks that may find it. */
  readonly checks: readonly string[]
}

/** A fault is found within so many seeds. */
const seedsMax = 2_000
const packages = fileURLToPath(new URL('../../..', import.meta.url))

export const faults: readonly PlantedFault[] = [
  {
    room: 'protocol, frame reader',
    what: 'a byte too many is taken for a frame that came in pieces',
    file: 'protocol/dist/frame-reader.js',
    find: 'Math.min(frameSize - this.#carried, to - at)',
    put: 'Math.min(frameSize - this.#carried + 1, to - at)',
    checks: ['frame', 'fault'],
  },
  {
    room: 'protocol, record check',
    what: 'a property that nobody carries out is taken',
    file: 'protocol/dist/record.js',
    find: 'if ((mask & ~(delivered ? definedMask : supportedMask)) !== 0)',
    put: 'if ((mask & ~definedMask) !== 0)',
    checks: ['confirm'],
  },
  {
    room: 'exchanges, topic trie',
    what: '# stands for one word at most',
    file: 'server/dist/broker/exchanges/topic-trie.js',
    find: 'if (node.isHash)',
    put: 'if (false)',
    checks: ['order', 'route'],
  },
  {
    room: 'routing, route cache',
    what: 'routes outlive the bindings that they were made of',
    file: 'server/dist/broker/routing/route-cache.js',
    find: 'this.#base += this.#routes.length',
    put: 'this.#base += 0',
    checks: ['route', 'confirm', 'invented', 'answer', 'exception'],
  },
  {
    room: 'store, slabs',
    what: 'memory is used again while a write reads from it',
    file: 'server/dist/broker/store/slabs.js',
    find: 'if (this.#live[slab] !== 0 || this.#pins[slab] !== 0)',
    put: 'if (this.#live[slab] !== 0)',
    checks: ['pinned', 'damaged', 'exception', 'invented', 'invariants'],
  },
  {
    room: 'session, outbox',
    what: 'a slab is let go before the write that reads from it is over',
    file: 'server/dist/session/outbox.js',
    find: 'this.#marks[this.#first] <= complete',
    put: 'this.#marks[this.#first] <= Infinity',
    checks: ['pinned', 'damaged', 'exception', 'invented', 'invariants'],
  },
  {
    room: 'broker',
    what: 'one message in a few hundred does not get into its first queue',
    file: 'server/dist/broker/broker.js',
    find: 'for (let i = 0; i < queues.length; i++)',
    put: 'for (let i = id % 197 === 0 ? 1 : 0; i < queues.length; i++)',
    checks: ['order', 'counts', 'answer'],
  },
  {
    room: 'queues, lane',
    what: 'the last ready message comes first',
    file: 'server/dist/broker/queues/lane.js',
    find: '31 - Math.clz32(bits & -bits)',
    put: '31 - Math.clz32(bits)',
    checks: ['order'],
  },
  {
    room: 'queues, dispatch',
    what: 'what comes again does not say so',
    file: 'server/dist/broker/queues/queue.js',
    find: 'delivered | Meta.unsettled | Meta.redelivered',
    put: 'delivered | Meta.unsettled',
    checks: ['redelivered'],
  },
  {
    room: 'queues, retries',
    what: 'retries are spread too far',
    file: 'server/dist/broker/broker.js',
    find: 'const retrySpread = 0.2',
    put: 'const retrySpread = 0.9',
    checks: ['retry'],
  },
  {
    room: 'session, unsettled ring',
    what: 'the last message of a range stays unsettled',
    file: 'server/dist/session/unsettled.js',
    find: 'if (this.#tags[i] > last)',
    put: 'if (this.#tags[i] >= last)',
    checks: ['liveness', 'answer', 'exception', 'invented'],
  },
  {
    room: 'session, confirms',
    what: 'messages in different numbers of queues are told as one run',
    file: 'server/dist/session/confirms.js',
    find: 'this.#queueCounts[last] === queues &&',
    put: '',
    checks: ['order', 'route'],
  },
  {
    room: 'session, credit',
    what: 'what a channel has not used is never free again',
    file: 'server/dist/session/credit.js',
    find: 'this.#unused -= holder.creditLeft',
    put: 'this.#unused -= 0',
    checks: ['invariants', 'leak', 'memory'],
  },
  {
    room: 'session, order of a flush',
    what: 'the answer of a get overtakes its message',
    file: 'server/dist/session/outgoing.js',
    find: 'this.replies.writeBefore(output);',
    put: 'this.replies.writeBefore(output); this.replies.writeAfter(output);',
    checks: ['answer'],
  },
  {
    room: 'session, bulk landing',
    what: 'a slab is filled again while records lie in it',
    file: 'server/dist/session/bulk-landing.js',
    find: 'this.unread === this.filled && this.#slabs.isIdle(this.slab)',
    put: 'this.unread === this.filled',
    checks: ['damaged', 'pinned', 'invented', 'frame', 'exception'],
  },
  {
    room: 'session, liveness',
    what: 'nobody is sent a heartbeat',
    file: 'server/dist/session/liveness.js',
    find: 'this.#home.sendHeartbeat()',
    put: 'undefined',
    checks: ['heartbeat'],
  },
  {
    room: 'session, heartbeat',
    what: 'now and then a connection is ended instead of being sent a heartbeat',
    file: 'server/dist/session/session.js',
    find: 'writeHeartbeat(frame, 0);\n        this.say(frame);',
    put: 'writeHeartbeat(frame, 0);\n        if (this.connection % 8 === 3)\n            this.end();\n        else\n            this.say(frame);',
    checks: ['fault'],
  },
  {
    room: 'session, silence',
    what: 'who falls silent is never given up',
    file: 'server/dist/session/liveness.js',
    find: 'this.#home.heartbeatTimedOut(2 * heartbeatMs);\n            return;',
    put: 'this.receivedAt = now;',
    checks: ['heartbeat'],
  },
  {
    room: 'turn, drain',
    what: 'deliveries go on while the broker goes away',
    file: 'server/dist/session/session.js',
    find: 'return this.outgoing.held || this.isDraining',
    put: 'return this.outgoing.held',
    checks: ['drain'],
  },
  {
    room: 'client, credit',
    what: 'what waits is sent beyond the bytes of its credit',
    file: 'client/dist/publishing/outbox.js',
    find: 'if (window.next > this.#creditSequence || this.#sentSize + size > this.#creditSize) {',
    put: 'if (window.next > this.#creditSequence) {',
    checks: ['credit', 'fault'],
  },
  {
    room: 'client, settlements',
    what: 'settlements with a gap between them are told as one range',
    file: 'client/dist/consuming/settlements.js',
    find: 'this.#firsts[last] + this.#counts[last] === firstTag',
    put: 'this.#firsts[last] + this.#counts[last] <= firstTag',
    checks: ['settled', 'liveness', 'exception'],
  },
  {
    room: 'client, recovery',
    what: 'who waits for a confirm is not told that the connection is lost',
    file: 'client/dist/publishing/outbox.js',
    find: 'else if ((flags & Flag.confirm) !== 0)\n                origin.refused(number, window.sizes[slot], key, false, unknown);',
    put: '',
    checks: ['liveness'],
  },
  {
    room: 'session, confirm',
    what: 'a message is confirmed before the disk has it',
    file: 'server/dist/session/publishing.js',
    find: 'const gate = best > Level.received ? journal.batch : 0',
    put: 'const gate = 0',
    checks: ['lost', 'names'],
  },
  {
    room: 'session, answers',
    what: 'a request is answered before the disk has what it changes',
    file: 'server/dist/session/requests.js',
    find: 'changesNames(name) ? channel.broker.journal.gate : 0',
    put: '0',
    checks: ['lost', 'names', 'invented'],
  },
  {
    room: 'session, storage',
    what: 'once the disk has failed a message to be kept is refused for ever',
    file: 'server/dist/session/publishing.js',
    find: 'this.#shard.broker.journal.failed && route.kept',
    put: '(this.#shard.broker.wasOut ||= this.#shard.broker.journal.failed) && route.kept',
    checks: ['confirm'],
  },
  {
    room: 'log, checksum',
    what: 'a block is taken for whole whatever its checksum says',
    file: 'server/dist/storage/local/block.js',
    find: 'return crc32(bytes.subarray(at + 8, at + size)) === readU32(bytes, at + 4)',
    put: 'return true',
    checks: ['exception', 'damage', 'damaged', 'invented', 'lost', 'names', 'recovery'],
  },
  {
    room: 'log, recycled segment',
    what: 'a block of an earlier use of the file is taken for one of the log',
    file: 'server/dist/storage/local/chain.js',
    find: 'epoch === this.#epoch && number > this.#number',
    put: 'true',
    checks: ['damage', 'exception', 'identity', 'invented', 'lost', 'names', 'recovery', 'twice'],
  },
  {
    room: 'log, torn tail',
    what: 'a write that was cut is taken for damage',
    file: 'server/dist/storage/local/chain.js',
    find: 'if (gap.number > durable) {',
    put: 'if (false) {',
    checks: ['damage', 'recovery', 'exception'],
  },
  {
    room: 'log, failed file',
    what: 'a sync that failed is tried again on the same file',
    file: 'server/dist/storage/local/group-sync.js',
    find: 'this.#underWay = undefined;\n                done(error);',
    put: 'this.#underWay = undefined;\n                if (error === undefined)\n                    return done(error);\n                this.#dirty = [...files, ...this.#dirty];\n                this.begin(done);',
    checks: ['damage', 'lost', 'names', 'recovery'],
  },
  {
    room: 'storage, segments',
    what: 'a segment is given back before a snapshot says what follows from it',
    file: 'server/dist/storage/space.js',
    find: 'segment.last <= snapshots.through',
    put: 'true',
    checks: ['damage', 'lost', 'names', 'recovery', 'exception'],
  },
  {
    room: 'storage, journal',
    what: 'the end of a message is written before the message',
    file: 'server/dist/storage/log-journal.js',
    find: 'this.#writeRuns();\n        this.#writeRanges();',
    put: 'this.#writeRanges();\n        this.#writeRuns();',
    checks: ['damage', 'invented', 'twice', 'recovery'],
  },
  {
    room: 'storage, settlements',
    what: 'the settlements of a turn are all written for the queue of the first',
    file: 'server/dist/storage/log-journal.js',
    find: 'rangeQueues[end] === queue',
    put: 'true',
    checks: ['damage', 'invented', 'lost', 'recovery', 'twice'],
  },
  {
    room: 'storage, pins',
    what: 'memory is used again before the journal has written from it',
    file: 'server/dist/storage/gathering.js',
    find: 'this.#slabs.pin(slab);\n',
    put: 'this.#slabs.pin(slab);\n            this.#slabs.unpin(slab);\n',
    checks: ['damage', 'damaged', 'exception', 'invented', 'invariants', 'lost', 'recovery'],
  },
  {
    room: 'storage, ids',
    what: 'message ids are given out again after a restart',
    file: 'server/dist/storage/recovery.js',
    find: 'if (next > this.#nextMessageId)',
    put: 'if (false)',
    checks: ['identity'],
  },
  {
    room: 'storage, queue numbers',
    what: 'a new queue gets the number of one that is there',
    file: 'server/dist/storage/recovery.js',
    find: 'this.#nextQueueId = Math.max(this.#nextQueueId, change.id + 1)',
    put: 'this.#nextQueueId = this.#nextQueueId',
    checks: ['damage', 'exception', 'invented', 'lost', 'names', 'recovery'],
  },
  {
    room: 'storage, mending',
    what: 'a disk that has failed is never taken up again',
    file: 'server/dist/storage/mending.js',
    find: "if (this.#state === 'failed' && now >= this.#retryAt && !snapshots.isBusy)",
    put: 'if (false)',
    checks: ['storage'],
  },
  {
    room: 'queues, after a restart',
    what: 'what was delivered before a restart comes again without saying so',
    file: 'server/dist/broker/queues/lane.js',
    find: 'new ColdPage(run, undefined, Meta.persistent | Meta.redelivered, n, undefined)',
    put: 'new ColdPage(run, undefined, Meta.persistent, n, undefined)',
    checks: ['redelivered'],
  },
]

/** Of what is kept: the journal, the log, recovery, and what is promised when they have done their part. */
export const faultsOfKeeping: readonly PlantedFault[] = faults.filter(
  ({ room }) =>
    /^(log|storage), /.test(room) || ['session, confirm', 'session, answers', 'session, storage', 'queues, after a restart'].includes(room),
)

export interface Found {
  readonly fault: PlantedFault
  /** Undefined: it got through. */
  readonly seed: number | undefined
  readonly check: string | undefined
  readonly message: string
}

/** How often the text that a fault replaces stands in its file. */
export function occurrences({ file, find }: PlantedFault): number {
  return readFileSync(join(packages, file), 'utf8').split(find).length - 1
}

/** Plants one fault after another, and lets the simulation look for each. */
export function* plantAll(chosen: readonly PlantedFault[] = faults): Iterable<Found> {
  const folder = mkdtempSync(join(tmpdir(), 'waybill-sim-faults-'))
  try {
    copyInto(folder)
    for (const fault of chosen) yield plant(folder, fault)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function copyInto(folder: string): void {
  mkdirSync(join(folder, 'node_modules/@waybill'), { recursive: true })
  for (const name of ['protocol', 'client', 'server']) {
    for (const part of ['package.json', 'dist'])
      cpSync(join(packages, name, part), join(folder, 'packages', name, part), { recursive: true })
    symlinkSync(join(folder, 'packages', name), join(folder, 'node_modules/@waybill', name), 'junction')
  }
  cpSync(join(packages, 'server/dist-test/sim'), join(folder, 'packages/server/dist-test/sim'), { recursive: true })
  for (const name of ['ajv', 'lru-cache']) {
    symlinkSync(realpathSync(join(packages, 'server/node_modules', name)), join(folder, 'node_modules', name), 'junction')
  }
}

function plant(folder: string, fault: PlantedFault): Found {
  const path = join(folder, 'packages', fault.file)
  const good = readFileSync(path, 'utf8')
  if (good.split(fault.find).length !== 2) throw new Error(`${fault.file} does not hold exactly once: ${fault.find}`)
  writeFileSync(
    path,
    good.replace(fault.find, () => fault.put),
  )
  const main = join(folder, 'packages/server/dist-test/sim/main.js')
  const { stdout, stderr } = spawnSync(process.execPath, [main, '--seeds', String(seedsMax), '--brief'], {
    encoding: 'utf8',
    timeout: 900_000,
  })
  writeFileSync(path, good)
  const found = /^seed (\d+), step \d+: ([a-z ]+): (.*)/.exec(stdout)
  if (found !== null) return { fault, seed: Number(found[1]), check: found[2], message: found[3]! }
  // An assertion of the broker or a client that nobody catches ends the program.
  const thrown = /^(\w*Error.*)$/m.exec(stderr)
  return { fault, seed: thrown === null ? undefined : 0, check: thrown === null ? undefined : 'exception', message: thrown?.[1] ?? '' }
}

export function isFound({ fault, check }: Found): boolean {
  return check !== undefined && fault.checks.includes(check)
}
