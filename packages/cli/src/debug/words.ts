/**
 * One typed line, cut into words:
 *
 *     publish orders "order eu" {"id": 1, "to": [2, 3]} header.x="a b" mandatory
 *     ─────── ────── ────────── ─────────────────────── ────────────── ─────────
 *     bare    bare   quoted     json                    option x       bare
 *
 * Quotes and braces are JSON's own, so that what can be published can be typed. `name=value` is an option wherever it
 * stands; in quotes it is a word like any other. A line that begins with `#` is a comment (a pattern `#` never begins one).
 *
 * Every word knows where it began, so that an answer can point at it.
 */

export interface Word {
  /** What is meant: without its quotes, and without the name of an option. */
  readonly text: string
  readonly form: 'bare' | 'quoted' | 'json'
  /** The name before `=`, for an option. */
  readonly option?: string
  /** Index of its first character in the line. */
  readonly at: number
}

/** What is wrong with a line; `at` is the index of the character where it is. */
export class LineProblem extends Error {
  override readonly name = 'LineProblem'
  readonly at: number | undefined

  constructor(message: string, at?: number) {
    super(message)
    this.at = at
  }
}

/** Cuts a line into words. Throws LineProblem for a quote or a brace that is not closed, or is not JSON. */
export function readWords(line: string): Word[] {
  const words: Word[] = []
  if (/^\s*#/.test(line)) return words

  let at = skipSpace(line, 0)
  while (at < line.length) {
    const option = optionName(line, at)
    const start = option === undefined ? at : at + option.length + 1
    const end = wordEnd(line, start)
    words.push({ ...readValue(line, start, end), ...(option === undefined ? {} : { option }), at })
    at = skipSpace(line, end)
  }
  return words
}

function readValue(line: string, start: number, end: number): Pick<Word, 'text' | 'form'> {
  const text = line.slice(start, end)
  const first = text[0]
  if (first !== '"' && first !== '{' && first !== '[') return { text, form: 'bare' }
  try {
    const value: unknown = JSON.parse(text)
    return first === '"' ? { text: value as string, form: 'quoted' } : { text, form: 'json' }
  } catch {
    throw new LineProblem(`not JSON: ${text}`, start)
  }
}

/** `header.x=…`: the name of an option, when a word begins with one. */
function optionName(line: string, at: number): string | undefined {
  const match = /^([A-Za-z][^\s="{}[\]]*)=/.exec(line.slice(at, at + 300))
  return match?.[1]
}

function wordEnd(line: string, start: number): number {
  const first = line[start]
  let end: number | undefined
  if (first === '"') end = quoteEnd(line, start)
  else if (first === '{' || first === '[') end = bracketEnd(line, start)
  else return spaceAfter(line, start)

  if (end === undefined) throw new LineProblem(`this ${first} is never closed`, start)
  if (end < line.length && !isSpace(line[end])) throw new LineProblem('a space is missing here', end)
  return end
}

function quoteEnd(line: string, start: number): number | undefined {
  for (let at = start + 1; at < line.length; at++) {
    if (line[at] === '\\') at++
    else if (line[at] === '"') return at + 1
  }
  return undefined
}

function bracketEnd(line: string, start: number): number | undefined {
  let depth = 0
  for (let at = start; at < line.length; at++) {
    const character = line[at]
    if (character === '"') {
      const end = quoteEnd(line, at)
      if (end === undefined) return undefined
      at = end - 1
    } else if (character === '{' || character === '[') depth++
    else if ((character === '}' || character === ']') && --depth === 0) return at + 1
  }
  return undefined
}

function spaceAfter(line: string, start: number): number {
  let at = start
  while (at < line.length && !isSpace(line[at])) at++
  return at
}

function skipSpace(line: string, start: number): number {
  let at = start
  while (at < line.length && isSpace(line[at])) at++
  return at
}

function isSpace(character: string | undefined): boolean {
  return character === ' ' || character === '\t' || character === '\r'
}
