/**
 * Hot: the bytes of exchange names and routing keys, encoded once while they are in use.
 *
 * Two generations: when the younger one is full it becomes the older one, and what is not asked for again is dropped with it.
 * So the cache stays below twice `generationMax` entries whatever keys a program makes up.
 */
import { type EncodedName, encodeName, WireError } from '@waybill/protocol'
import { nameOf } from '../arguments.js'
import { UsageError } from '../errors.js'

const generationMax = 2048

export class EncodedNames {
  #young = new Map<string, EncodedName>()
  #old = new Map<string, EncodedName>()
  #lastText = ''
  #lastBytes: EncodedName = new Uint8Array(0)

  /** Throws UsageError `NAME_INVALID` for what is not a string of at most 255 bytes of UTF-8. */
  get(text: string): EncodedName {
    if (text === this.#lastText) return this.#lastBytes
    const bytes = this.#young.get(text) ?? this.#older(text)
    this.#lastText = text
    this.#lastBytes = bytes
    return bytes
  }

  /** Throws UsageError `NAME_INVALID`, which says what it was to be the name of. */
  check(what: string, name: string): void {
    if (typeof name !== 'string') throw new UsageError('NAME_INVALID', `the name of the ${what} is a string, not ${nameOf(name)}`)
    this.get(name)
  }

  #older(text: string): EncodedName {
    const bytes = this.#old.get(text) ?? encoded(text)
    if (this.#young.size >= generationMax) {
      this.#old = this.#young
      this.#young = new Map()
    }
    this.#young.set(text, bytes)
    return bytes
  }
}

function encoded(text: string): EncodedName {
  if (typeof text !== 'string') throw new UsageError('NAME_INVALID', `a name or routing key is a string, not ${nameOf(text)}`)
  try {
    return encodeName(text)
  } catch (error) {
    if (error instanceof WireError) throw new UsageError('NAME_INVALID', error.message, { cause: error })
    throw error
  }
}
