/** What a disk does later, for those who may wait: opening and checking. The log itself goes by callbacks. */
import type { Disk, DiskFile } from '../../ports/disk.js'

export function syncFile(file: DiskFile): Promise<void> {
  return new Promise((resolve, reject) => file.sync((error) => (error === undefined ? resolve() : reject(error))))
}

export function syncNames(disk: Disk): Promise<void> {
  return new Promise((resolve, reject) => disk.syncNames((error) => (error === undefined ? resolve() : reject(error))))
}
