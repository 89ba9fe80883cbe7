/** The one of `candidates` that somebody who wrote `word` probably meant: two slips of the keyboard away at most, fewer for short words. */
export function didYouMean(word: string, candidates: readonly string[]): string | undefined {
  const plain = (text: string) => text.toLowerCase().replace(/[-_.]/g, '')
  let best: string | undefined
  let bestSlips = Math.min(2, Math.floor(word.length / 3)) + 1
  for (const candidate of candidates) {
    const slips = slipsBetween(plain(word), plain(candidate), bestSlips)
    if (slips < bestSlips) {
      best = candidate
      bestSlips = slips
    }
  }
  return best ?? candidates.find((candidate) => word.length >= 4 && plain(candidate).startsWith(plain(word)))
}

/** Letters added, left out, mistaken, or swapped with the next, to make one text of the other; `most` if not fewer. */
function slipsBetween(a: string, b: string, most: number): number {
  if (Math.abs(a.length - b.length) >= most || a.length > 255) return most
  let before: number[] = []
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const isSame = a[i - 1] === b[j - 1]
      let slips = Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (isSame ? 0 : 1))
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) slips = Math.min(slips, before[j - 2]! + 1)
      next.push(slips)
    }
    before = row
    row = next
  }
  return Math.min(most, row[b.length]!)
}
