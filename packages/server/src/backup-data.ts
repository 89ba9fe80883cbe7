/**
 * A copy of a data directory that a broker may be writing to.
 *
 *     list once ─▶ snapshots ─▶ segments in order, each from its end to its start ─▶ waybill.json ─▶ verified
 *
 * A log only grows at its end. Its last file is read from the end on, so that nothing is seen that stands behind something which was not there yet: the copy
 * is the log as it was at some moment after the call, perhaps with a cut write at the end, which a broker cuts off. A segment that the broker gives back
 * meanwhile may be missed, or be read as something else; the verifying finds that, and the copy is taken again.
 */
import { closeSync, fstatSync, fsyncSync, ftruncateSync, openSync, readdirSync, readSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { makeDirectory } from './host/make-directory.js'
import { type DataInspection, inspectData } from './inspect-data.js'
import { DiskError } from './ports/disk.js'
import { isUnfinished, manifestName, segmentOfName, snapshotOfName } from './storage/local/names.js'

const pieceSize = 1 << 20
const triesMax = 5
const zeros = Buffer.alloc(pieceSize)

/**
 * Copies `from` to `to`, which is made, and must be empty if it is there. Resolves with what is in the copy; with damage in it only when each of 5 copies had
 * some, so that it is probably there in `from` too. Rejects with DiskError, and then `to` holds nothing.
 */
export async function backupData(from: string, to: string): Promise<DataInspection> {
  attempt(`make the directory ${to}`, () => makeDirectory(to))
  if (attempt(`list ${to}`, () => readdirSync(to)).length > 0)
    throw new DiskError('broken', `${to} is not empty; name a directory that is not there yet`)
  for (let tries = 1; ; tries++) {
    try {
      copyAll(from, to)
      const found = await inspectData(to)
      if (found.damage.length === 0 || tries === triesMax) return found
    } catch (error) {
      if (!(error instanceof Vanished) || tries === triesMax) {
        clear(to)
        throw error instanceof Vanished
          ? new DiskError('broken', `the broker gives files of ${from} back faster than they are copied; try again later`)
          : error
      }
    }
    clear(to)
  }
}

/** A file was there, and is not any more. */
class Vanished extends Error {}

function copyAll(from: string, to: string): void {
  const names = attempt(`list ${from}`, () => readdirSync(from)).filter((name) => !isUnfinished(name))
  if (!names.some((name) => name === manifestName || segmentOfName(name) !== undefined)) {
    throw new DiskError('broken', `there are no data of a broker in ${from}`)
  }
  const snapshots = names.filter((name) => snapshotOfName(name) !== undefined)
  const segments = names.filter((name) => segmentOfName(name) !== undefined).sort((a, b) => segmentOfName(a)! - segmentOfName(b)!)
  for (const name of [...snapshots, ...segments, ...names.filter((name) => name === manifestName)]) copy(join(from, name), join(to, name))
  const directory = openSync(to, 'r')
  fsyncSync(directory)
  closeSync(directory)
}

/** From the end to the start; zeros at the end take no space. */
function copy(source: string, target: string): void {
  const input = attempt(`open ${source}`, () => openSync(source, 'r'))
  try {
    attempt(`copy ${source} to ${target}`, () => {
      const output = openSync(target, 'wx', 0o600)
      try {
        const bytes = Buffer.allocUnsafe(pieceSize)
        const { size } = fstatSync(input)
        let isEnd = true
        for (let at = (Math.ceil(size / pieceSize) - 1) * pieceSize; at >= 0; at -= pieceSize) {
          const piece = bytes.subarray(0, readSync(input, bytes, 0, pieceSize, at))
          if (isEnd && piece.equals(zeros.subarray(0, piece.length))) continue
          isEnd = false
          for (let done = 0; done < piece.length; ) done += writeSync(output, piece, done, piece.length - done, at + done)
        }
        ftruncateSync(output, size)
        fsyncSync(output)
      } finally {
        closeSync(output)
      }
    })
  } finally {
    closeSync(input)
  }
}

function clear(directory: string): void {
  for (const name of readdirSync(directory)) rmSync(join(directory, name), { force: true })
}

function attempt<T>(what: string, step: () => T): T {
  try {
    return step()
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' && /^open/.test(what)) throw new Vanished()
    throw new DiskError(code === 'ENOSPC' || code === 'EDQUOT' ? 'full' : 'broken', `cannot ${what}: ${message}`)
  }
}
