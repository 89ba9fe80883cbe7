/** What stands in a data directory under the names of our files, before anybody opens one of them. */
import { type Dirent, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { DiskError } from './ports/disk.js'
import { isOurs, manifestName, segmentOfName, snapshotOfName } from './storage/local/names.js'

/**
 * Looks at the names of a directory. Returns why there may be less than there was, or undefined.
 *
 * Throws DiskError for one of our names that is no file of its own: what a link leads to belongs to somebody else too, and what cannot be read in its place
 * would be taken for missing.
 */
export function checkFiles(directory: string): string | undefined {
  const entries = entriesOf(directory).filter(({ name }) => isOurs(name))
  for (const entry of entries) {
    if (entry.isFile()) continue
    const kind = entry.isSymbolicLink() ? 'a symbolic link' : entry.isDirectory() ? 'a directory' : 'no regular file'
    throw new DiskError(
      'broken',
      `${join(directory, entry.name)} is ${kind}, and has to be a file: put the file itself there, or take it away`,
    )
  }
  const names = entries.map(({ name }) => name)
  if (!names.includes(manifestName) || names.some((name) => (segmentOfName(name) ?? snapshotOfName(name)) !== undefined)) return undefined
  return `there is a ${manifestName} and no segment: nothing has been kept here yet, or the files are gone`
}

function entriesOf(directory: string): Dirent[] {
  try {
    return readdirSync(directory, { withFileTypes: true })
  } catch (error) {
    throw new DiskError('broken', `cannot list ${directory}: ${(error as Error).message}`)
  }
}
