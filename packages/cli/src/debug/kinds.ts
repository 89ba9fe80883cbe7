/**
 * What a word of a command may be. A kind reads one word into a value, or says what it should have been:
 *
 *     count.read('twelve')  →  LineProblem: a whole number was expected, not 'twelve'
 *
 * A kind also says how it is called in a usage line and what completes it.
 */
import { LineProblem, type Word } from './words.js'

export interface Kind<T> {
  /** What stands for it in a usage line: `exchange`, `1-7`, `on|off`. */
  readonly label: string
  /** What completes it: words, or the names of such things as far as they are known. */
  readonly suggest?: 'exchange' | 'queue' | 'command' | readonly string[]
  /** True: a usage line does not name it; there are many such. */
  readonly minor?: boolean
  /** Throws LineProblem. */
  read(word: Word): T
}

/** A run of delivery tags; `all` stands for everything delivered so far. */
export type TagRange = { readonly from: number; readonly through: number } | 'all'

export interface Body {
  readonly bytes: Uint8Array
  readonly contentType?: string
}

/** Some text, whatever it says: a name, a key, a reason. */
export function text(label: string, suggest?: Kind<string>['suggest']): Kind<string> {
  return { label, ...(suggest === undefined ? {} : { suggest }), read: (word) => word.text }
}

export const exchangeName = text('exchange', 'exchange')
export const queueName = text('queue', 'queue')

export function choice<const T extends string>(...values: readonly T[]): Kind<T> {
  return {
    label: values.join('|'),
    suggest: values,
    read: (word) => values.find((value) => value === word.text) ?? expected(`one of ${values.join(', ')}`, word),
  }
}

export const boolean: Kind<boolean> = {
  label: 'true|false',
  suggest: ['true', 'false'],
  read: (word) => (word.text === 'true' ? true : word.text === 'false' ? false : expected('true or false', word)),
}

/** An option that is false unless it is there: its name alone means true. */
export const flag: Kind<boolean> = { ...boolean }

export function count(label: string, min = 0, max: number = Number.MAX_SAFE_INTEGER): Kind<number> {
  return {
    label,
    read(word) {
      const value = Number(word.text.replaceAll('_', ''))
      if (!/^\d[\d_]*$/.test(word.text) || !Number.isSafeInteger(value)) expected('a whole number', word)
      if (value < min || value > max) expected(`a number from ${min} to ${max}`, word)
      return value
    },
  }
}

export function integer(label: string, min: number, max: number): Kind<number> {
  return {
    label,
    read(word) {
      if (!/^-?\d{1,15}$/.test(word.text)) expected('a whole number', word)
      const value = Number(word.text)
      return value >= min && value <= max ? value : expected(`a number from ${min} to ${max}`, word)
    },
  }
}

export const tags: Kind<TagRange> = {
  label: 'tag|1-7|all',
  suggest: ['all'],
  read(word) {
    if (word.text === 'all') return 'all'
    const match = /^(\d{1,15})(?:-(\d{1,15}))?$/.exec(word.text)
    if (match === null) expected("a tag such as 3, a range such as 1-7, or 'all'", word)
    const from = Number(match[1])
    const through = match[2] === undefined ? from : Number(match[2])
    if (through < from) expected('a range from the lower tag to the higher', word)
    return { from, through }
  },
}

/** Bytes as hexadecimal digits; `_`, `:` and `-` may stand between them. */
export const hex: Kind<Uint8Array> = {
  label: 'hex',
  read(word) {
    const digits = word.text.replace(/^0x/, '').replaceAll(/[_:-]/g, '')
    if (!/^[0-9a-fA-F]*$/.test(digits)) expected('hexadecimal digits', word)
    if (digits.length % 2 !== 0) expected('an even number of hexadecimal digits', word)
    return Buffer.from(digits, 'hex')
  },
}

/** What a message says: JSON as it was typed, or text. The content type follows the body conventions of [P-3.7]. */
export const body: Kind<Body> = {
  label: 'body',
  read: (word) => ({
    bytes: Buffer.from(word.text, 'utf8'),
    contentType: word.form === 'json' ? 'application/json' : 'text/plain',
  }),
}

export type HeaderValues = Record<string, string | number | bigint | boolean | null>

/** The value of a header: null, a boolean, a number, or else text. In quotes it is always text. */
export const headerValue: Kind<HeaderValues[string]> = {
  label: 'value',
  read(word) {
    if (word.form !== 'bare') return word.text
    if (word.text === 'null') return null
    if (word.text === 'true' || word.text === 'false') return word.text === 'true'
    if (/^-?\d{1,19}$/.test(word.text)) return headerInteger(word)
    if (/^-?\d+(\.\d+)?([eE][+-]?\d+)?$/.test(word.text)) return Number(word.text)
    return word.text
  },
}

function headerInteger(word: Word): number | bigint {
  const value = BigInt(word.text)
  if (BigInt.asIntN(64, value) !== value) expected('an integer of at most 64 bits', word)
  return Number.isSafeInteger(Number(value)) ? Number(value) : value
}

function expected(what: string, word: Word): never {
  throw new LineProblem(`${what} was expected, not '${word.text}'`, word.at)
}
