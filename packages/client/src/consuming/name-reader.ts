/** Hot: names out of bytes. Neighbours usually have the same exchange and key, so the last text is kept and compared first, by bytes. */
import { readText } from '@waybill/protocol'

export class NameReader {
  #bytes: Uint8Array = new Uint8Array(0)
  #from = 0
  #size = 0
  #text = ''

  /** The text of `bytes[from..to)`; the bytes must never change afterwards. */
  read(bytes: Uint8Array, from: number, to: number): string {
    const size = to - from
    if (size === this.#size && this.#same(bytes, from)) return this.#text
    this.#bytes = bytes
    this.#from = from
    this.#size = size
    this.#text = readText(bytes, from, to)
    return this.#text
  }

  #same(bytes: Uint8Array, from: number): boolean {
    const last = this.#bytes
    const lastFrom = this.#from
    for (let i = this.#size - 1; i >= 0; i--) if (bytes[from + i] !== last[lastFrom + i]) return false
    return true
  }
}
