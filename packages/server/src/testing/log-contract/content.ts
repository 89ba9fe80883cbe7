/** What is written into logs, and known again. */

export const KiB = 1024
export const MiB = 1024 * KiB

export function bytes(text: string): Buffer {
  return Buffer.from(text)
}

/** Bytes that say which ones they are, and where. */
export function pattern(size: number, seed: number): Buffer {
  const content = Buffer.alloc(size, `${seed}, `)
  for (let at = 0; at + 4 <= size; at += KiB) content.writeUInt32LE(at + seed, at)
  return content
}

export function rises(numbers: readonly number[]): boolean {
  return numbers.every((number, i) => i === 0 || number > numbers[i - 1])
}
