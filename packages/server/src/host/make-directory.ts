/**
 * A directory, and those above it that are missing, made one after the other. Node's own `recursive` begins again for ever where the system says "no such
 * file" of a directory that is there, as /proc does, and says "no such file" where a disk can only be read.
 */
import fs from 'node:fs'
import { dirname, resolve } from 'node:path'

/**
 * For this user alone, as far as it is made here; as it is, if it is there. Returns what was made, each behind the one that it is in. Throws when it is no
 * directory, or cannot be made.
 */
export function makeDirectory(directory: string): string[] {
  const path = resolve(directory)
  const found = stat(path)
  if (found?.isDirectory()) return []
  if (found !== undefined) throw new Error(`${path} is there, and is not a directory`)
  checkLink(path)
  const parent = dirname(path)
  const made = parent === path ? [] : makeDirectory(parent)
  try {
    fs.mkdirSync(path, 0o700)
  } catch (error) {
    // Somebody else may have made it in between.
    if (stat(path)?.isDirectory()) return made
    throw error
  }
  return [...made, path]
}

/** Throws, with what to do, for a symbolic link that leads to nothing. */
export function checkLink(path: string): void {
  const target = stat(path) === undefined ? linkAt(path) : undefined
  if (target !== undefined) throw new Error(`${path} is a link to ${target}, which is not there; make that directory, or remove the link`)
}

/** Where the link leads to; undefined: there is none. */
function linkAt(path: string): string | undefined {
  try {
    return fs.readlinkSync(path)
  } catch {
    return undefined
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
