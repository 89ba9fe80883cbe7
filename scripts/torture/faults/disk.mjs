/** A disk that fails: syncs, writes, and room for more. What was confirmed stays; what cannot be kept is refused; consumers go on; and it passes. */
import { closeSync, fsyncSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { Image, whyNoImages } from '../image.mjs'
import { sleep } from '../load.mjs'
import { scenario } from '../scenario.mjs'
import { whyNoShim } from '../shim.mjs'
import { shimScenario } from '../shim-scenario.mjs'

/** From the moment when there is room again. */
const resumeMsMax = 2_000
/** Whatever else was wrong. */
const healMsMax = 10_000
/** Until a failure has reached everybody who is told of it: the syncs before it have ended, and what they confirmed has arrived. */
const settleMs = 300

/** The disk is well again: publishing goes on, and how soon. */
async function resumed({ load, report, ledger }, since, msMax = healMsMax) {
  const ms = (await load.next('synced', 1)) - since
  report.restartMs.push(ms)
  if (ms > msMax) ledger.broke(`publishing went on ${Math.round(ms)} ms after the disk was well again`)
}

/** A backlog, so that there is something to deliver while nothing can be published. */
async function backlog(load, ms) {
  load.setConsuming(false)
  await sleep(ms)
  return () => load.setConsuming(true)
}

/** A fault of the shim; `episode` is one time that the disk fails. */
function failing(name, episode) {
  return {
    name,
    amount: 50,
    amountShort: 2,
    skip: whyNoShim,
    run(context, amount) {
      return shimScenario(context, { name }, async (parts) => {
        for (; parts.report.times < amount; parts.report.times++) {
          await sleep(parts.random.whole(100, 500))
          await episode(parts)
          // What was promised has to be there for the next process, too.
          if (!parts.random.chance(0.3)) continue
          await parts.broker.kill()
          await parts.broker.start()
          await parts.load.next('confirm', 10)
        }
      })
    },
  }
}

export const failingSync = failing('sync fails', async (parts) => {
  const { shim, load, ledger, random, report } = parts
  if (random.chance(0.6)) {
    shim.set('syncFailures', random.whole(1, 2))
    await sleep(random.whole(50, 200))
    shim.set('syncFailures', 0)
    await resumed(parts, performance.now())
    return
  }
  const consume = await backlog(load, 200)
  const failed = shim.get('failedSyncs')
  shim.set('syncFailures', -1)
  while (shim.get('failedSyncs') === failed) await sleep(5)
  await sleep(settleMs)
  const confirmed = ledger.confirmedCount
  consume()
  await load.next('delivery', 20, 10_000)
  await sleep(random.whole(100, 1_500))
  if (ledger.confirmedCount > confirmed)
    ledger.broke(`${ledger.confirmedCount - confirmed} messages were confirmed while no sync succeeded`)
  shim.set('syncFailures', 0)
  await resumed(parts, performance.now())
  report.notes = [`${shim.get('failedSyncs')} syncs have failed`]
})

export const shortWrites = failing('writes are short', async ({ shim, load, random, report }) => {
  shim.set('shortWrites', random.whole(1, 50))
  await load.next('confirm', 200)
  shim.set('shortWrites', 0)
  report.notes = [`${shim.get('shortened')} writes were short`]
})

export const failingWrites = failing('writes fail', async (parts) => {
  const { shim, random, report } = parts
  shim.set('writeFailures', random.chance(0.5) ? random.whole(1, 3) : -1)
  await sleep(random.whole(20, 800))
  shim.set('writeFailures', 0)
  await resumed(parts, performance.now())
  report.notes = [`${shim.get('failedWrites')} writes have failed`]
})

export const fullDisk = {
  name: 'disk full',
  amount: 10,
  amountShort: 1,
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
      const { load, ledger, random, report } = parts
      const filler = join(image.folder, 'filler')
      for (; report.times < amount; report.times++) {
        await sleep(random.whole(200, 500))
        const isSudden = report.times % 2 === 1
        const consume = await backlog(load, 300)
        const blocked = isSudden ? undefined : load.next('blocked', 1, 5_000)
        // Under the limit by half, or to the last byte.
        fill(filler, isSudden ? 0 : freeMin / 2, image.folder)
        const began = performance.now()
        if (blocked !== undefined) {
          const ms = (await blocked) - began
          if (ms > resumeMsMax) ledger.broke(`publishers were told after ${Math.round(ms)} ms that the disk is full`)
        }
        consume()
        await load.next('delivery', 20, 10_000)
        await sleep(random.whole(500, 1_500))
        rmSync(filler)
        await resumed(parts, performance.now(), resumeMsMax)
      }
    })
  },
}

/** Writes a file until so many bytes are free. */
function fill(file, leave, folder) {
  const descriptor = openSync(file, 'w')
  const piece = Buffer.alloc(1 << 20, 1)
  try {
    for (;;) {
      const { bavail, bsize } = statfsSync(folder)
      const left = bavail * bsize - leave
      if (left <= 0) break
      writeSync(descriptor, piece, 0, Math.min(piece.length, left))
    }
    fsyncSync(descriptor)
  } catch (error) {
    if (error.code !== 'ENOSPC') throw error
  } finally {
    closeSync(descriptor)
  }
}
