/**
 * A list of names and patterns, as in permissions: `*` stands for any run of characters, none included; all else for itself.
 *
 *     orders.*          a prefix            *          every name
 *     *.dead            a suffix            a*b*c      in this order
 *
 * There are no regular expressions here, as the cost of one can be made to explode. Asking costs at most the size of the name
 * and of the pattern, for each pattern: the parts between stars are looked for from left to right, never going back (Knuth,
 * Morris and Pratt's search).
 */
export class NamePatterns {
  readonly patterns: readonly string[]
  readonly #tests: readonly ((name: string) => boolean)[]

  constructor(patterns: readonly string[]) {
    this.patterns = patterns
    this.#tests = patterns.map(testOf)
  }

  includes(name: string): boolean {
    for (const test of this.#tests) if (test(name)) return true
    return false
  }
}

function testOf(pattern: string): (name: string) => boolean {
  const [first, ...others] = pattern.split('*')
  const last = others.pop()
  if (last === undefined) return (name) => name === pattern
  const prefix = first!
  const searches = others.filter((part) => part !== '').map(searchFor)
  return (name) => {
    const end = name.length - last.length
    if (end < prefix.length || !name.startsWith(prefix) || !name.endsWith(last)) return false
    let from = prefix.length
    for (const search of searches) {
      from = search(name, from, end)
      if (from < 0) return false
    }
    return true
  }
}

/** A search for the first place of `part` in `text[from..end)`; gives the index behind it, or -1. */
function searchFor(part: string): (text: string, from: number, end: number) => number {
  // fallbacks[i]: how many characters of `part` still fit when the one behind the first i + 1 does not.
  const fallbacks = new Uint16Array(part.length)
  for (let i = 1, fitting = 0; i < part.length; i++) {
    while (fitting > 0 && part[i] !== part[fitting]) fitting = fallbacks[fitting - 1]!
    if (part[i] === part[fitting]) fitting++
    fallbacks[i] = fitting
  }
  return (text, from, end) => {
    for (let i = from, fitting = 0; i < end; i++) {
      while (fitting > 0 && text.charCodeAt(i) !== part.charCodeAt(fitting)) fitting = fallbacks[fitting - 1]!
      if (text.charCodeAt(i) === part.charCodeAt(fitting)) fitting++
      if (fitting === part.length) return i + 1
    }
    return -1
  }
}
