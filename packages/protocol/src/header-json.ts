/**
 * Headers in control messages. What JSON cannot say is an object with one field. [P-6.9]
 *
 *     9007199254740993n → {"i64": "9007199254740993"}    NaN → {"f64": "NaN"}    bytes → {"bytes": "<base64>"}
 */
import type { Headers, HeaderValue } from './headers.js'

export type JsonHeaderValue =
  | string
  | number
  | boolean
  | null
  | { readonly i64: string }
  | { readonly f64: 'NaN' | 'Infinity' | '-Infinity' | '-0' }
  | { readonly bytes: string }

export type JsonHeaders = Readonly<Record<string, JsonHeaderValue>>

export function headersToJson(headers: Headers): JsonHeaders {
  const json: Record<string, JsonHeaderValue> = Object.create(null)
  for (const [name, value] of Object.entries(headers)) json[name] = valueToJson(value)
  return json
}

/** The headers that valid JSON means; an object without a prototype. Whether an i64 fits in 64 bits is found out by encoding it. */
export function headersFromJson(json: JsonHeaders): Headers {
  const headers: Record<string, HeaderValue> = Object.create(null)
  for (const [name, value] of Object.entries(json)) headers[name] = valueFromJson(value)
  return headers
}

function valueToJson(value: HeaderValue): JsonHeaderValue {
  if (typeof value === 'bigint') return { i64: value.toString() }
  if (value instanceof Uint8Array) return { bytes: Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64') }
  if (typeof value !== 'number') return value
  if (Object.is(value, -0)) return { f64: '-0' }
  return Number.isFinite(value) ? value : { f64: String(value) as 'NaN' | 'Infinity' | '-Infinity' }
}

function valueFromJson(value: JsonHeaderValue): HeaderValue {
  if (typeof value !== 'object' || value === null) return value
  if ('bytes' in value) return Buffer.from(value.bytes, 'base64')
  if ('f64' in value) return Number(value.f64)
  const integer = BigInt(value.i64)
  return integer >= Number.MIN_SAFE_INTEGER && integer <= Number.MAX_SAFE_INTEGER ? Number(integer) : integer
}
