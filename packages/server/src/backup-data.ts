/**
 * A copy of a data directory that a broker may be writing to.
 *
 *     all files opened at one moment ─▶ each copied, from its end to its start ─▶ synced ─▶ verified
 *
 * What the broker gives back meanwhile is read on by its descriptor: however fast it does, there is nothing to catch up with. A log only grows at its end. Its
 * last file is read from the end on, so that nothing is seen that stands behind something which was not there yet: the copy is the log as it was at some moment
 * after the call, perhaps with a cut write at the end, which a broker cuts off.
 *
 * Refused: *links to the files* (whoever is killed leaves them, and the space they hold), *holding back what the broker gives back* (its disk fills up).
 */
import { closeSync, fsyncSync, openSync, read, readdirSync, rmdirSync, rmSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { DirectoryStill } from './host/directory-still.js'
import { makeDirectory } from './host/make-directory.js'
import { confirmed, type DataInspection, inspectData } from './inspect-data.js'
import { DiskError } from './ports/disk.js'
import { takeStill } from './still-data.js'
import { manifestName, segmentOfName, snapshotOfName } from './storage/local/names.js'

const pieceSize = 1 << 20
const zeros = Buffer.alloc(pieceSize)
const readAt = promisify(read)

/**
 * Copies `from` to `to`, which is made, and must be empty if it is there. Resolves with what is in the copy; with damage in it only when two copies had the same,
 * so that it is there in `from` too. Rejects with DiskError, and then `to` is as it was.
 */
export async function backupData(from: string, to: string): Promise<DataInspection> {
  if (to === '') throw new DiskError('broken', 'the name of the directory to copy to is empty; give its path')
  const made = await attempt(`make the directory ${to}`, () => makeDirectory(to))
  if ((await attempt(`list ${to}`, () => readdirSync(to))).length > 0)
    throw new DiskError('broken', `${to} is not empty; name a directory that is not there yet`)
  try {
    return await confirmed(async () => {
      clear(to)
      const still = await takeStill(from)
      try {
        await copyStill(still.files, to)
      } finally {
        still.close()
      }
      return inspectData(to)
    })
  } catch (error) {
    clear(to)
    for (const directory of made.reverse()) rmdirSync(directory)
    throw error
  }
}

/** Into a directory that is there and empty. Rejects with DiskError. */
export async function copyStill(files: DirectoryStill, to: string): Promise<void> {
  const names = files.names()
  const snapshots = names.filter((name) => snapshotOfName(name) !== undefined)
  const segments = names.filter((name) => segmentOfName(name) !== undefined).sort((a, b) => segmentOfName(a)! - segmentOfName(b)!)
  for (const name of [...snapshots, ...segments, ...names.filter((name) => name === manifestName)]) {
    const target = join(to, name)
    await attempt(`copy ${join(files.directory, name)} to ${target}`, () => copy(files.descriptor(name)!, files.sizeOf(name), target))
  }
  const directory = openSync(to, 'r')
  fsyncSync(directory)
  closeSync(directory)
}

/** From the end to the start; zeros at the end take no space. */
async function copy(source: number, size: number, target: string): Promise<void> {
  const output = await open(target, 'wx', 0o600)
  try {
    const bytes = Buffer.allocUnsafe(pieceSize)
    let isEnd = true
    for (let at = (Math.ceil(size / pieceSize) - 1) * pieceSize; at >= 0; at -= pieceSize) {
      const { bytesRead } = await readAt(source, bytes, 0, pieceSize, at)
      const piece = bytes.subarray(0, bytesRead)
      if (isEnd && piece.equals(zeros.subarray(0, bytesRead))) continue
      isEnd = false
      for (let done = 0; done < bytesRead; ) done += (await output.write(piece, done, bytesRead - done, at + done)).bytesWritten
    }
    await output.truncate(size)
    await output.sync()
  } finally {
    await output.close()
  }
}

function clear(directory: string): void {
  for (const name of readdirSync(directory)) rmSync(join(directory, name), { force: true })
}

async function attempt<T>(what: string, step: () => T | Promise<T>): Promise<T> {
  try {
    return await step()
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    throw new DiskError(code === 'ENOSPC' || code === 'EDQUOT' ? 'full' : 'broken', `cannot ${what}: ${message}`)
  }
}
