/** Puts a file in its place in one step: whoever reads the path sees the old bytes or the new ones, never a part of them. */
import { open, rename, rm } from 'node:fs/promises'

/** `part` is where the bytes are written first. It lies in the same directory, and is gone afterwards in any case. */
export async function replaceFile(path: string, bytes: Buffer, part: string): Promise<void> {
  try {
    const file = await open(part, 'w')
    try {
      await file.writeFile(bytes)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(part, path)
  } catch (error) {
    await rm(part, { force: true })
    throw error
  }
}
