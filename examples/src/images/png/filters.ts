/**
 * PNG's five row filters. A filter replaces each byte by its difference from a guess, made of the bytes already known:
 *
 *     c b        0 none: no guess   1 sub: a   2 up: b   3 average: (a + b) / 2   4 Paeth: whichever of a, b, c is
 *     a x                                                                           nearest to a + b - c
 *
 * A good guess leaves many small numbers, which deflate packs well. Filtering and taking the filters off again give back
 * the same samples for any choice of filters; only the size of the file depends on the choice.
 */
import { PngError } from './chunks.js'
import { filteredSize, type Header, passesOf, pixelSize, samplesSize } from './scanlines.js'

export const filterNames = ['none', 'sub', 'up', 'average', 'paeth'] as const

/** A filter for all rows, or for each row the one that leaves the smallest differences. */
export type FilterChoice = 0 | 1 | 2 | 3 | 4 | 'best of each row'

/** The samples, row below row, of rows that carry filters. */
export function unfilter(filtered: Buffer, header: Header): Buffer {
  const samples = Buffer.allocUnsafe(samplesSize(header))
  const left = pixelSize(header)
  let source = 0
  let target = 0
  for (const { rowCount, size } of passesOf(header)) {
    let above: Uint8Array = new Uint8Array(size)
    for (let row = 0; row < rowCount; row++) {
      const filter = filtered[source++]!
      if (filter >= filterNames.length) throw new PngError(`no such filter: ${filter}`)
      const current = samples.subarray(target, target + size)
      for (let i = 0; i < size; i++) {
        const a = i < left ? 0 : current[i - left]!
        const c = i < left ? 0 : above[i - left]!
        current[i] = filtered[source + i]! + guess(filter, a, above[i]!, c)
      }
      above = current
      source += size
      target += size
    }
  }
  return samples
}

/** The rows of samples, each with its filter byte in front. */
export function filter(samples: Buffer, header: Header, choice: FilterChoice): Buffer {
  const filtered = Buffer.allocUnsafe(filteredSize(header))
  const left = pixelSize(header)
  let source = 0
  let target = 0
  for (const { rowCount, size } of passesOf(header)) {
    let above: Uint8Array = new Uint8Array(size)
    for (let row = 0; row < rowCount; row++) {
      const current = samples.subarray(source, source + size)
      const chosen = choice === 'best of each row' ? bestFilter(current, above, left) : choice
      filtered[target++] = chosen
      for (let i = 0; i < size; i++) filtered[target + i] = difference(chosen, current, above, i, left)
      above = current
      source += size
      target += size
    }
  }
  return filtered
}

/** The usual rule of thumb: the filter whose differences, read as small positive or negative numbers, sum up to the least. */
function bestFilter(current: Uint8Array, above: Uint8Array, left: number): number {
  let best = 0
  let least = Number.POSITIVE_INFINITY
  for (let filter = 0; filter < filterNames.length; filter++) {
    let sum = 0
    for (let i = 0; i < current.length; i++) {
      const byte = difference(filter, current, above, i, left) & 0xff
      sum += byte < 128 ? byte : 256 - byte
    }
    if (sum < least) {
      least = sum
      best = filter
    }
  }
  return best
}

function difference(filter: number, current: Uint8Array, above: Uint8Array, i: number, left: number): number {
  const a = i < left ? 0 : current[i - left]!
  const c = i < left ? 0 : above[i - left]!
  return current[i]! - guess(filter, a, above[i]!, c)
}

function guess(filter: number, a: number, b: number, c: number): number {
  if (filter === 0) return 0
  if (filter === 1) return a
  if (filter === 2) return b
  if (filter === 3) return (a + b) >> 1
  const [fromA, fromB, fromC] = [Math.abs(b - c), Math.abs(a - c), Math.abs(a + b - 2 * c)]
  if (fromA <= fromB && fromA <= fromC) return a
  return fromB <= fromC ? b : c
}
