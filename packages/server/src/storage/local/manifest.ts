/**
 * `waybill.json`: whose log this is, in which format, and how many owners it has had. Written anew by each owner, beside the old one, and put
 * in its place when it is synced.
 *
 *     {"format":1,"log":"k3v9…","epoch":7,"check":"9d8a01c4"}          check: crc32 of the line without it
 */
import { crc32 } from 'node:zlib'
import type { Disk } from '../../ports/disk.js'
import { DataFormatError } from './format-error.js'
import { manifestName, newSuffix } from './names.js'
import { readPatiently } from './patient-read.js'
import { syncFile, syncNames } from './promises.js'

export const dataFormat = 1
const manifestSizeMax = 4096

export interface Manifest {
  readonly format: number
  readonly log: string
  readonly epoch: number
}

export type ManifestReading =
  | { readonly kind: 'none' }
  | { readonly kind: 'damaged' }
  | { readonly kind: 'whole'; readonly manifest: Manifest }

/** Throws DataFormatError when it was written by a newer version: whatever else stands in it. */
export function readManifest(disk: Disk): ManifestReading {
  if (!disk.list().includes(manifestName)) return { kind: 'none' }
  const file = disk.open(manifestName)
  const bytes = Buffer.alloc(Math.min(file.size, manifestSizeMax))
  const count = readPatiently(file, bytes, 0)
  file.close()
  const manifest = parse(bytes.toString('utf8', 0, count))
  if (manifest === undefined) return { kind: 'damaged' }
  if (manifest.format > dataFormat) throw new DataFormatError(manifestName, manifest.format, dataFormat)
  return { kind: 'whole', manifest }
}

export async function writeManifest(disk: Disk, manifest: Manifest): Promise<void> {
  const file = disk.open(manifestName + newSuffix)
  try {
    file.write([Buffer.from(print(manifest))], 0)
    await syncFile(file)
  } finally {
    file.close()
  }
  disk.rename(manifestName + newSuffix, manifestName)
  await syncNames(disk)
}

function print({ format, log, epoch }: Manifest): string {
  const plain = JSON.stringify({ format, log, epoch })
  return `${plain.slice(0, -1)},"check":"${checkOf(plain)}"}\n`
}

function parse(text: string): Manifest | undefined {
  const match = /^(\{.*),"check":"([0-9a-f]{8})"\}\n$/.exec(text)
  if (match === null || checkOf(`${match[1]}}`) !== match[2]) return undefined
  return JSON.parse(`${match[1]}}`) as Manifest
}

function checkOf(text: string): string {
  return crc32(text).toString(16).padStart(8, '0')
}
