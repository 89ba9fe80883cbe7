/** A disk that fails: syncs, writes, and room for more. What was confirmed stays; what cannot be kept is refused; consumers go on; and it passes. */
import { closeSync, fsyncSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { Image, whyNoImages } from '../image.mjs'
import { sleep } from '../load.mjs'
import { scenario } from '../scenario.mjs'
import { whyNoShim } from '../shim.mjs'
import { shimScenario } from '../shim-scenario.mjs'

/** Until all connections are told that there is no room; the broker looks twice a second. */
const tellMsMax = 1_000
/** From the moment when there is room again. */
const resumeMsMax = 2_000
/** Until what publishers were granted before is used up, at the rate of the load. */
const stopMsMax = 20_000
/** So long nothing is confirmed where publishing has stopped. */
const quietMs = 1_000
/** Until a failure has reached everybody who is told of it: the syncs before it have ended, and what they confirmed is on its way. */
const settleMs = 300
/** A fault that has not happened within this time has missed. */
const strikeMsMax = 10_000

/** What the shim does, and where it counts how often it has. */
const counters = {
  syncFailures: 'failedSyncs',
  directorySyncFailures: 'failedDirectorySyncs',
  writeFailures: 'failedWrites',
  shortWrites: 'shortened',
}

/** Faults by name, with how often; resolves when each of them has happened: false if one of them has not. */
async function strikes(shim, faults) {
  const before = Object.keys(faults).map((fault) => [counters[fault], shim.get(counters[fault])])
  for (const [fault, count] of Object.entries(faults)) shim.set(fault, count)
  for (const until = performance.now() + strikeMsMax; performance.now() < until; await sleep(5)) {
    if (before.every(([counter, count]) => shim.get(counter) > count)) return true
  }
  return false
}

function cease(shim, faults) {
  for (const fault of Object.keys(faults)) shim.set(fault, 0)
}

/** The disk is well again: publishing goes on, and how soon. */
async function resumed({ load, delays }, since) {
  delays.add('the first confirm on a disk that was well again', (await load.next('synced')) - since)
}

/** A backlog, so that there is something to deliver while nothing can be published. */
async function backlog(load, ms) {
  load.setConsuming(false)
  await sleep(ms)
  return () => load.setConsuming(true)
}

/** A disk that fails a few times, and is well again; whether it has. */
async function failsBriefly(parts, faults) {
  const { shim } = parts
  const hasStruck = await strikes(shim, faults)
  if (hasStruck) await sleep(parts.random.whole(20, 200))
  cease(shim, faults)
  await resumed(parts, performance.now())
  return hasStruck
}

/** A disk that fails for as long as it pleases: publishers are refused or blocked, nothing is confirmed, consumers go on. Whether it has. */
async function failsForLong(parts, faults) {
  const { broker, shim, load, ledger, random, delays } = parts
  const consume = await backlog(load, 200)
  const failures = broker.eventCount('storage-failed')
  const hasStruck = await strikes(shim, faults)
  // Were it a snapshot that has failed, and not the log, publishing could go on.
  const isFailed = hasStruck && (!('directorySyncFailures' in faults) || broker.eventCount('storage-failed') > failures)
  if (isFailed) {
    const ms = delays.scaled(strikeMsMax)
    await Promise.any([load.next('refused', 1, ms), load.next('blocked', 1, ms)]).catch(() =>
      ledger.broke('publishers are neither refused nor blocked by a disk that fails'),
    )
    await sleep(delays.scaled(settleMs))
    await load.heard()
    const confirmed = ledger.confirmedCount
    consume()
    await load.next('delivery', 20, delays.scaled(strikeMsMax))
    await sleep(random.whole(100, 1_500))
    await load.heard()
    if (ledger.confirmedCount > confirmed) ledger.broke(`${ledger.confirmedCount - confirmed} messages were confirmed by a disk that fails`)
  }
  consume()
  cease(shim, faults)
  await resumed(parts, performance.now())
  return isFailed
}

/**
 * A fault of the shim; `episode` is one time that the disk fails, and resolves with whether it has: else it is tried again. The first of two is a long one,
 * where there are such.
 */
function failing(name, { amount = 50, amountShort = 2 }, episode) {
  return {
    name,
    amount,
    amountShort,
    skip: whyNoShim,
    run(context, amount) {
      return shimScenario(context, { name }, async (parts) => {
        const { broker, load, ledger, random, report, delays, shim } = parts
        let missCount = 0
        while (report.times < amount) {
          await sleep(random.whole(100, 500))
          if (await episode(parts, report.times % 2 === 0)) report.times++
          else if (++missCount > amount + 3) {
            ledger.broke(`the fault has not happened ${missCount} times, and has ${report.times} times`)
            break
          }
          // What was promised has to be there for the next process, too.
          if (!random.chance(0.3)) continue
          const began = performance.now()
          await broker.kill()
          await broker.start()
          delays.add('ten confirms after a restart', (await load.next('confirm', 10)) - began)
        }
        const counts = Object.values(counters).map((counter) => [counter, shim.get(counter)])
        const told = counts.filter(([, count]) => count > 0).map(([counter, count]) => `${counter} ${count}`)
        report.notes = [`${told.join(', ')}; ${ledger.deniedCount} messages were refused; without effect ${missCount} times`]
      })
    },
  }
}

export const failingSync = failing('sync fails', {}, (parts, isLong) =>
  isLong ? failsForLong(parts, { syncFailures: -1 }) : failsBriefly(parts, { syncFailures: parts.random.whole(1, 2) }),
)

/** A name is synced when there is a new file: the log takes one when it has failed. */
export const failingDirectorySync = failing('directory sync fails', { amount: 20 }, (parts, isLong) =>
  isLong
    ? failsForLong(parts, { directorySyncFailures: -1, syncFailures: 1 })
    : failsBriefly(parts, { directorySyncFailures: parts.random.whole(1, 2), syncFailures: 1 }),
)

export const failingWrites = failing('writes fail', {}, (parts, isLong) =>
  isLong ? failsForLong(parts, { writeFailures: -1 }) : failsBriefly(parts, { writeFailures: parts.random.whole(1, 3) }),
)

export const shortWrites = failing('writes are short', {}, async ({ shim, load, random }) => {
  const hasStruck = await strikes(shim, { shortWrites: random.whole(1, 50) })
  await load.next('confirm', 200)
  cease(shim, { shortWrites: 0 })
  return hasStruck
})

export const fullDisk = {
  name: 'disk full',
  amount: 10,
  amountShort: 2,
  skip: whyNoImages,
  run(context, amount) {
    let image
    const freeMin = 64 * 2 ** 20
    const place = async (home, closing) => {
      image = Image.make(home, 'disk', 640 * 2 ** 20)
      closing.add(() => image.close())
      return join(image.folder, 'data')
    }
    const flags = ['--disk-free-min', String(freeMin)]
    return scenario(context, { name: this.name, place, flags }, async (parts) => {
      const { load, random, report } = parts
      const used = []
      for (; report.times < amount; report.times++) {
        await sleep(random.whole(200, 500))
        used.push(await (report.times % 2 === 0 ? fillsUp(parts, image.folder, freeMin) : isFilled(parts, image.folder)))
        await load.next('confirm', 100)
      }
      const counts = used.map((count) => count.toLocaleString('en')).join(', ')
      report.notes = [`confirmed after publishers were told, by credit from before: ${counts}`]
    })
  },
}

/**
 * Others use up what has to be free: publishers are told, and stop when their credit is used up, which is before there is nothing left. Resolves with how
 * many messages were still confirmed.
 */
async function fillsUp(parts, folder, freeMin) {
  const { load, ledger, delays } = parts
  const fillers = [join(folder, 'filler'), join(folder, 'filler-2')]
  const denied = ledger.deniedCount
  fill(fillers[0], freeMin * 1.75, folder)
  const blocked = load.next('blocked', load.connectionCount, delays.scaled(strikeMsMax))
  fill(fillers[1], freeMin * 0.75, folder, false)
  const began = performance.now()
  delays.check('telling all connections that the disk is full', (await blocked) - began, tellMsMax)
  const confirmed = ledger.confirmedCount
  const consume = await backlog(load, 0)
  await stopped(parts)
  const count = ledger.confirmedCount - confirmed
  if (ledger.deniedCount > denied)
    ledger.broke(`${ledger.deniedCount - denied} messages were refused, though publishers were told in time that the disk gets full`)
  consume()
  await load.next('delivery', 20)
  await hasRoom(parts, fillers)
  return count
}

/** The last byte is gone at once: publishers are told, and what cannot be kept is refused, or waits. */
async function isFilled(parts, folder) {
  const { load, ledger, delays } = parts
  const filler = join(folder, 'filler')
  const consume = await backlog(load, 300)
  const blocked = load.next('blocked', load.connectionCount, delays.scaled(strikeMsMax))
  fill(filler, 0, folder)
  const began = performance.now()
  delays.check('telling all connections that the disk is full', (await blocked) - began, tellMsMax)
  const confirmed = ledger.confirmedCount
  await stopped(parts)
  const count = ledger.confirmedCount - confirmed
  consume()
  await load.next('delivery', 20)
  await hasRoom(parts, [filler])
  return count
}

/** Resolves when nothing is confirmed any more, though each producer has as much on its way as it may, or is refused what it sends. */
async function stopped({ load, ledger, delays }) {
  const began = performance.now()
  let confirmed = -1
  let denied
  let since
  while (performance.now() - began < delays.scaled(stopMsMax)) {
    if (ledger.confirmedCount !== confirmed) {
      ;({ confirmedCount: confirmed, deniedCount: denied } = ledger)
      since = performance.now()
    }
    if (performance.now() - since > quietMs && (load.isWaiting || ledger.deniedCount > denied)) return
    await sleep(20)
  }
  ledger.broke('publishing goes on though the disk is full')
}

/** What has filled the disk goes: all connections are told, and then publishing goes on. */
async function hasRoom({ load, delays }, fillers) {
  const unblocked = load.next('unblocked', load.connectionCount, delays.scaled(strikeMsMax))
  for (const filler of fillers) rmSync(filler)
  const began = performance.now()
  await unblocked
  delays.add('the first confirm when there was room again', (await load.next('synced')) - began, resumeMsMax)
}

/** Writes a file until so many bytes are free; it may be that they are taken before they are written. */
function fill(file, leave, folder, isSynced = true) {
  const descriptor = openSync(file, 'w')
  const piece = Buffer.alloc(1 << 20, 1)
  try {
    for (;;) {
      const { bavail, bsize } = statfsSync(folder)
      const left = bavail * bsize - leave
      if (left <= 0) break
      writeSync(descriptor, piece, 0, Math.min(piece.length, left))
    }
    if (isSynced) fsyncSync(descriptor)
  } catch (error) {
    if (error.code !== 'ENOSPC') throw error
  } finally {
    closeSync(descriptor)
  }
}
