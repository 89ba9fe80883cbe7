/** Files that may not be there: then they are empty. */
import { lstatSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

export function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory)
  } catch {
    return []
  }
}

export function textOf(file: string): string {
  try {
    return readFileSync(file, 'latin1')
  } catch {
    return ''
  }
}

/** Bytes on the disk of all files below, those preallocated included. */
export function sizeOf(directory: string): number {
  return namesIn(directory).reduce((sum, name) => {
    const path = join(directory, name)
    const entry = lstatSync(path, { throwIfNoEntry: false })
    if (entry === undefined) return sum
    return sum + (entry.isDirectory() ? sizeOf(path) : entry.blocks * 512)
  }, 0)
}
