/**
 * Bodies: a program's values to bytes and back, by content type. [P-3.7]
 *
 *     Buffer, any view, ArrayBuffer   as it is      no content type       → Buffer
 *     string                          UTF-8         text/*                → string
 *     anything else                   JSON          application/json, +json → the parsed value
 *
 * A content type that the program gave wins over ours; it does not change how the value becomes bytes. A content encoding is the
 * program's own affair: such a body stays a Buffer.
 */
import { RejectError, UsageError } from './errors.js'

export const textType = 'text/plain'
export const jsonType = 'application/json'

export type BodyForm = 'bytes' | 'text' | 'json'

/** Strings up to this many UTF-16 units are written to the scratch buffer, which has room for 3 bytes each. */
const scratchLengthMax = 16 * 1024

/**
 * A body as bytes: `bytes[0..size)`, valid until the next one is encoded, and what form it had.
 *
 * One instance a connection, filled again for each publish: nothing is allocated for buffers, and one short-lived string for JSON.
 */
export class EncodedBody {
  bytes: Uint8Array
  size = 0
  form: BodyForm = 'bytes'
  #scratch: Buffer | undefined

  constructor() {
    this.bytes = Buffer.alloc(0)
  }

  /** Throws UsageError `BODY_INVALID` for what has no JSON: undefined, a function, a symbol, a bigint, a cycle. */
  encode(body: unknown): void {
    if (body instanceof Uint8Array) {
      this.bytes = body
      this.size = body.length
      this.form = 'bytes'
    } else if (typeof body === 'string') {
      this.form = 'text'
      this.#write(body)
    } else if (ArrayBuffer.isView(body)) {
      this.#view(body.buffer, body.byteOffset, body.byteLength)
    } else if (body instanceof ArrayBuffer || body instanceof SharedArrayBuffer) {
      this.#view(body, 0, body.byteLength)
    } else {
      this.form = 'json'
      this.#write(toJson(body))
    }
  }

  /** The bytes, valid for as long as they are held. */
  copy(): Buffer {
    return Buffer.from(this.bytes.subarray(0, this.size))
  }

  #view(buffer: ArrayBufferLike, from: number, size: number): void {
    this.bytes = new Uint8Array(buffer, from, size)
    this.size = size
    this.form = 'bytes'
  }

  #write(text: string): void {
    if (text.length > scratchLengthMax) {
      this.bytes = Buffer.from(text, 'utf8')
      this.size = this.bytes.length
      return
    }
    this.#scratch ??= Buffer.allocUnsafeSlow(3 * scratchLengthMax)
    this.bytes = this.#scratch
    this.size = this.#scratch.write(text, 0, 'utf8')
  }
}

function toJson(body: unknown): string {
  let text: string | undefined
  try {
    text = JSON.stringify(body)
  } catch (error) {
    throw new UsageError('BODY_INVALID', `the body has no JSON: ${(error as Error).message}`, { cause: error })
  }
  if (text === undefined) throw new UsageError('BODY_INVALID', `the body has no JSON: it is ${typeof body}; null is the JSON of nothing`)
  return text
}

/** How a body of this content type is read. Parameters are skipped, but a charset other than UTF-8 leaves the bytes alone. */
export function formOf(contentType: string): BodyForm {
  if (contentType === jsonType) return 'json'
  if (contentType === textType) return 'text'
  const [type, ...parameters] = contentType.toLowerCase().split(';')
  const charset = parameters.map((each) => /^\s*charset\s*=\s*"?([^"\s]*)"?\s*$/.exec(each)?.[1]).find((each) => each !== undefined)
  if (charset !== undefined && charset !== 'utf-8' && charset !== 'utf8' && charset !== 'us-ascii') return 'bytes'
  const name = type.trim()
  if (name === jsonType || name.endsWith('+json')) return 'json'
  return name.startsWith('text/') ? 'text' : 'bytes'
}

/** The value of a body. Throws RejectError for JSON that is none: trying such a message again cannot help. */
export function decodeBody(form: BodyForm, bytes: Buffer, from: number, to: number): unknown {
  if (form === 'text') return bytes.toString('utf8', from, to)
  if (form === 'bytes') return bytes.subarray(from, to)
  try {
    return JSON.parse(bytes.toString('utf8', from, to))
  } catch (error) {
    throw Object.assign(new RejectError(`the body is not JSON: ${(error as Error).message}`), { cause: error })
  }
}
