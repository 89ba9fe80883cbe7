/**
 * Older formats become the present one when a log is opened, a step at a time. There is one format so far, and so no step.
 *
 * A step changes files in a way that can be begun again: it may be cut anywhere, and the manifest tells its format only when all of it is synced.
 */
import type { Disk } from '../../ports/disk.js'
import { DataFormatError } from './format-error.js'
import { dataFormat, type Manifest, writeManifest } from './manifest.js'

export interface Migration {
  /** The format that it takes; it leaves the one after. */
  readonly from: number
  run(disk: Disk): Promise<void>
}

export const migrations: readonly Migration[] = []

/** Brings the files to the present format. Throws DataFormatError when no step leads there. */
export async function migrate(disk: Disk, manifest: Manifest, steps: readonly Migration[]): Promise<Manifest> {
  let present = manifest
  while (present.format < dataFormat) {
    const step = steps.find(({ from }) => from === present.format)
    if (step === undefined) throw new DataFormatError('the data directory', present.format, dataFormat)
    await step.run(disk)
    present = { ...present, format: present.format + 1 }
    await writeManifest(disk, present)
  }
  return present
}
