/**
 * A directory, and those above it that are missing, made one after the other. Node's own `recursive` begins again for ever where the system says "no such
 * file" of a directory that is there, as /proc does, and says "no such file" where a disk can only be read.
 */
import fs from 'node:fs'
import { dirname, resolve } from 'node:path'

/** For this user alone, as far as it is made here; as it is, if it is there. Throws when it is no directory, or cannot be made. */
export function makeDirectory(directory: string): void {
  const path = resolve(directory)
  const found = stat(path)
  if (found?.isDirectory()) return
  if (found !== undefined) throw new Error(`${path} is there, and is not a directory`)
  const parent = dirname(path)
  if (parent !== path) makeDirectory(parent)
  try {
    fs.mkdirSync(path, 0o700)
  } catch (error) {
    // Somebody else may have made it in between.
    if (!stat(path)?.isDirectory()) throw error
  }
}

/** Undefined: it is not there, or what is above it is no directory. */
function stat(path: string): fs.Stats | undefined {
  try {
    return fs.statSync(path, { throwIfNoEntry: false })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOTDIR') return undefined
    throw error
  }
}
