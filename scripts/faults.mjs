/**
 * Tests that are never seen to fail may hold nothing. So faults are planted, one in a room, and each has to be caught:
 *
 *     node scripts/faults.mjs            all of them, a minute or two
 *     node scripts/faults.mjs queues     those whose room has this in its name
 *
 *     ✓ server/broker/queues   a retry always waits as after a first failure   caught by packages/server/test/broker/queues/queue.test.ts
 *
 * Everything happens in a copy of the repository that is deleted afterwards. The exit code is 1 if a fault gets through.
 */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { prepare, root } from './prepare.mjs'

/** What is replaced in which file, wherever it stands there; and the test that has to fail then. */
export const faults = [
  {
    room: 'protocol/frames',
    what: 'a frame may be one byte larger than allowed',
    file: 'packages/protocol/src/frame-reader.ts',
    find: 'size > this.frameSizeMax ||',
    put: 'size > this.frameSizeMax + 1 ||',
    test: 'packages/protocol/test/frame-reader.test.ts',
  },
  {
    room: 'server/broker/exchanges',
    what: '# has to stand for one word at least',
    file: 'packages/server/src/broker/exchanges/topic-trie.ts',
    find: 'let count = find(this.#root, found, 0, step)',
    put: 'let count = found.unshift(this.#root) && 1',
    test: 'packages/server/test/broker/exchanges/topic-trie.test.ts',
  },
  {
    room: 'server/broker/routing',
    what: 'routes outlive the bindings that they were made of',
    file: 'packages/server/src/broker/routing/route-cache.ts',
    find: 'this.#base += this.#routes.length',
    put: 'this.#base += 0',
    test: 'packages/server/test/broker/routing/route-cache.test.ts',
  },
  {
    room: 'server/broker/store',
    what: 'memory is used again while a write reads from it',
    file: 'packages/server/src/broker/store/slabs.ts',
    find: 'if (this.#live[slab] !== 0 || this.#pins[slab] !== 0) return',
    put: 'if (this.#live[slab] !== 0) return',
    test: 'packages/server/test/session/congestion.test.ts',
  },
  {
    room: 'server/broker/queues',
    what: 'a retry always waits as after a first failure',
    file: 'packages/server/src/broker/queues/queue.ts',
    find: 'this.#home.backoffMs(failureCount)',
    put: 'this.#home.backoffMs(1)',
    test: 'packages/server/test/broker/queues/queue.test.ts',
  },
  {
    room: 'server/session/credit',
    what: 'half of what was used of the credit is forgotten',
    file: 'packages/server/src/session/credit.ts',
    find: 'this.#unused -= size\n',
    put: 'this.#unused -= size >> 1\n',
    test: 'packages/server/test/session/credit.test.ts',
  },
  {
    room: 'server/session/confirms',
    what: 'messages whose ids do not follow one another are told as one run',
    file: 'packages/server/src/session/confirms.ts',
    find: '        this.#ids[last] + count === id &&\n',
    put: '',
    test: 'packages/server/test/session/confirms.test.ts',
  },
  {
    room: 'server/session/congestion',
    what: 'a reader that takes nothing is never given up',
    file: 'packages/server/src/session/congestion.ts',
    find: 'transport.takenSize > this.#takenSize',
    put: 'transport.takenSize >= this.#takenSize',
    test: 'packages/server/test/session/congestion.test.ts',
  },
  {
    room: 'server/turn',
    what: 'a broker that goes away does not wait for the last settlement',
    file: 'packages/server/src/turn/drain.ts',
    find: 'if (unsettledCount > 0 ||',
    put: 'if (unsettledCount > 1 ||',
    test: 'packages/server/test/turn/drain.test.ts',
  },
  {
    room: 'server/auth',
    what: 'guessing is free once more',
    file: 'packages/server/src/auth/throttle.ts',
    find: 'failures.count < freeCount',
    put: 'failures.count <= freeCount',
    test: 'packages/server/test/auth/throttle.test.ts',
  },
  {
    room: 'server/config',
    what: 'other machines may connect though there are no users',
    file: 'packages/server/src/config/config.ts',
    find: 'if (complete !== false && !isLoopback(complete.host)) {',
    put: 'if (complete !== false && isLoopback(complete.host)) {',
    test: 'packages/server/test/config/config.test.ts',
  },
  {
    room: 'server/host',
    what: 'a write without a socket is not copied',
    file: 'packages/server/src/host/memory-transport.ts',
    find: 'Uint8Array.prototype.slice.call(',
    put: 'Uint8Array.prototype.subarray.call(',
    test: 'packages/server/test/host/memory-transport.test.ts',
  },
  {
    room: 'client/consuming',
    what: 'settlements with a gap between them are told as one range',
    file: 'packages/client/src/consuming/settlements.ts',
    find: 'this.#firsts[last] + this.#counts[last] === firstTag',
    put: 'this.#firsts[last] + this.#counts[last] <= firstTag',
    test: 'packages/client/test/consuming/settlements.test.ts',
  },
  {
    room: 'client/recovery',
    what: 'all clients come back at the same time',
    file: 'packages/client/src/recovery/pauses.ts',
    find: 'this.#clock.random() *',
    put: '1 *',
    test: 'packages/client/test/recovery/reconnect.test.ts',
  },
  {
    room: 'client/session',
    what: 'a connection is given up without reading the socket once more',
    file: 'packages/client/src/session/heartbeat.ts',
    find: '    if (!this.heard) {\n      this.#home.lost()',
    put: '    {\n      this.#home.lost()',
    test: 'packages/client/test/session/heartbeat.test.ts',
  },
  {
    room: 'cli/debug',
    what: 'published text can control the terminal',
    file: 'packages/cli/src/debug/escape.ts',
    find: '[\\p{Cc}\\p{Cf}\\u2028\\u2029]',
    put: '[\\u2028\\u2029]',
    test: 'packages/cli/test/debug/show.test.ts',
  },
  {
    room: 'server/storage/local',
    what: 'a block of an earlier use of the file is taken for one of the log',
    file: 'packages/server/src/storage/local/chain.ts',
    find: 'while (cursor.read(at) && cursor.number === this.#number && cursor.epoch >= this.#epoch) {',
    put: 'while (cursor.read(at)) {',
    test: 'packages/server/test/storage/local/disasters.test.ts',
  },
  {
    room: 'server/storage/local, drops',
    what: 'a file goes before the log has said so for good',
    file: 'packages/server/src/storage/local/local-log.ts',
    find: 'this.#drops.synced(mark.number)',
    put: 'this.#drops.synced(Infinity)',
    test: 'packages/server/test/storage/local/crashes.test.ts',
  },
]

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) main(process.argv[2] ?? '')

function main(wanted) {
  prepare()
  const folder = mkdtempSync(join(tmpdir(), 'waybill-faults-'))
  let missed = 0
  try {
    copyInto(folder)
    for (const fault of faults.filter(({ room }) => room.includes(wanted))) {
      const isCaught = plant(folder, fault)
      if (!isCaught) missed++
      console.log(`${isCaught ? '✓' : '✗'} ${fault.room.padEnd(26)} ${fault.what}   ${isCaught ? 'caught' : 'NOT caught'} by ${fault.test}`)
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
  process.exitCode = missed === 0 ? 0 : 1
}

/** Sources and what was made of them, with the packages that were installed here. */
function copyInto(folder) {
  const options = { recursive: true, verbatimSymlinks: true, preserveTimestamps: true }
  for (const path of ['packages', 'spec', 'tsconfig.base.json', 'tsconfig.json', 'package.json'])
    cpSync(join(root, path), join(folder, path), options)
  mkdirSync(join(folder, 'node_modules/@waybill'), { recursive: true })
  for (const name of readdirSync(join(root, 'node_modules'))) {
    if (name !== '@waybill') symlinkSync(join(root, 'node_modules', name), join(folder, 'node_modules', name))
  }
  for (const name of ['protocol', 'server', 'client'])
    symlinkSync(join(folder, 'packages', name), join(folder, 'node_modules/@waybill', name))
}

/** Whether the test fails with the fault and, so that it is the fault which it saw, passes without it. */
function plant(folder, { file, find, put, test }) {
  const path = join(folder, file)
  const good = readFileSync(path, 'utf8')
  const run = () => {
    build(folder, file)
    return (
      spawnSync(process.execPath, [test.replace('/test/', '/dist-test/').replace(/\.ts$/, '.js')], { cwd: folder, timeout: 120_000 })
        .status === 0
    )
  }
  writeFileSync(
    path,
    good.replaceAll(find, () => put),
  )
  const passesWith = run()
  writeFileSync(path, good)
  return !passesWith && run()
}

function build(folder, file) {
  const project = file.split('/').slice(0, 2).join('/')
  const { stdout, status } = spawnSync(process.execPath, ['node_modules/typescript/bin/tsc', '-b', project], {
    cwd: folder,
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(`with a fault in ${file} it does not compile:\n${stdout}`)
}
