/**
 * The files of a data directory at one moment, beside a broker that goes on meanwhile: what the last one writes is appended to, and nothing else changes.
 *
 *     its owner is told ─▶ the files are opened ─▶ what it gives back from now on is removed and not used again, and can be read on
 */
import { checkFiles } from './data-files.js'
import { beginReading } from './host/data-reader.js'
import { DirectoryStill } from './host/directory-still.js'
import { checkLink } from './host/make-directory.js'
import { DiskError } from './ports/disk.js'
import { manifestName, segmentOfName, snapshotOfName } from './storage/local/names.js'

export interface DataStill {
  readonly files: DirectoryStill
  /** The segment that is written to; undefined: there is none. */
  readonly last: string | undefined
  close(): void
}

/** Rejects with DiskError for a directory that cannot be read or holds no data. */
export async function takeStill(directory: string): Promise<DataStill> {
  if (directory === '') throw new DiskError('broken', 'the name of the data directory is empty; give its path')
  try {
    checkLink(directory)
  } catch (error) {
    throw new DiskError('broken', (error as Error).message)
  }
  checkFiles(directory)
  const reading = await beginReading(directory)
  try {
    const files = new DirectoryStill(directory, isNeeded)
    const segments = files.names().filter((name) => segmentOfName(name) !== undefined)
    const last = segments.sort((a, b) => segmentOfName(a)! - segmentOfName(b)!).at(-1)
    if (last === undefined && files.descriptor(manifestName) === undefined) {
      files.close()
      throw new DiskError('broken', `there are no data of a broker in ${directory}`)
    }
    const close = (): void => {
      files.close()
      reading.end()
    }
    return { files, last, close }
  } catch (error) {
    reading.end()
    throw error
  }
}

function isNeeded(name: string): boolean {
  return name === manifestName || segmentOfName(name) !== undefined || snapshotOfName(name) !== undefined
}
