/**
 * Control messages: frames whose body is one JSON object, read against its schema before anybody looks into it. [P-6]
 *
 *     bytes → UTF-8, fatal → JSON → schema → sizes in bytes → value     or a problem that names the field
 *
 * Nothing is filled in and nothing is dropped: defaults are the affair of whoever carries the request out.
 */
import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv'
import type { ControlBodies, ControlName, ErrorBody, RequestName, ResultBodies } from './control-bodies.js'
import { ErrorCode, type ErrorName, WireError } from './errors.js'
import { correlationSize, frameHeaderSize, FrameType, writeCorrelatedHeader, writeFrameHeader } from './frame.js'
import { headersFromJson, type JsonHeaders } from './header-json.js'
import { encodeHeaders } from './headers.js'
import { limits } from './limits.js'
import { schemas } from './schemas.js'
import { isWellFormed, nameSizeMax, readText } from './text.js'
import { isUtf8 } from './utf8.js'

export interface Problem {
  readonly code: ErrorName
  readonly message: string
  readonly details?: Readonly<Record<string, unknown>>
}

export type Decoded<T> = { readonly value: T; readonly problem?: undefined } | { readonly problem: Problem; readonly value?: undefined }

/** A whole frame around `body` as JSON; without flag CORRELATED when `correlation` is 0. */
export function encodeControl(type: number, channel: number, correlation: number, body: object): Buffer {
  const text = JSON.stringify(body)
  const bodySize = Buffer.byteLength(text)
  const headerSize = correlation === 0 ? frameHeaderSize : frameHeaderSize + correlationSize
  const frame = Buffer.allocUnsafe(headerSize + bodySize)
  if (correlation === 0) writeFrameHeader(frame, 0, type, 0, channel, bodySize)
  else writeCorrelatedHeader(frame, 0, type, 0, channel, correlation, bodySize)
  frame.write(text, headerSize, 'utf8')
  return frame
}

/** The body of a request, STATUS, ERROR or CANCELLED; results are `decodeResult`'s. The problem is what the ERROR that answers it says. */
export function decodeControl<K extends ControlName>(name: K, bytes: Uint8Array, from: number, to: number): Decoded<ControlBodies[K]> {
  const request = `${name}.request` in schemas
  if (request && to - from > limits.controlSizeMax.value) {
    const message = `a request of ${to - from} bytes; at most ${limits.controlSizeMax.value}`
    return { problem: { code: 'requestInvalid', message, details: { limit: 'controlSizeMax' } } }
  }
  return decode(request ? `${name}.request` : name, name, bytes, from, to) as Decoded<ControlBodies[K]>
}

/** The body of the RESULT that answers a request of this name. */
export function decodeResult<K extends RequestName>(name: K, bytes: Uint8Array, from: number, to: number): Decoded<ResultBodies[K]> {
  return decode(`${name}.result`, `the result of ${name}`, bytes, from, to) as Decoded<ResultBodies[K]>
}

/** The body of an ERROR. Errors of a single message have scope `request` when they answer a request. */
export function errorBody(
  name: ErrorName,
  message: string,
  details?: Readonly<Record<string, unknown>>,
  scope: ErrorBody['scope'] = requestScope(name),
): ErrorBody {
  const { code, retryable } = ErrorCode[name]
  return details === undefined ? { code, name, scope, retryable, message } : { code, name, scope, retryable, message, details }
}

function requestScope(name: ErrorName): ErrorBody['scope'] {
  const { scope } = ErrorCode[name]
  return scope === 'message' ? 'request' : scope
}

/** The number of a frame type by its name, for names that come from outside. */
export function controlType(name: ControlName | 'result'): number {
  return FrameType[name]
}

function decode(schema: string, what: string, bytes: Uint8Array, from: number, to: number): Decoded<unknown> {
  if (!isUtf8(bytes, from, to)) return invalid(`the body of ${what} is not UTF-8`)
  let value: unknown
  try {
    value = JSON.parse(readText(bytes, from, to))
  } catch (error) {
    return invalid(`the body of ${what} is not JSON: ${(error as Error).message}`)
  }
  const validate = validatorOf(schema)
  if (!validate(value)) return { problem: schemaProblem(what, validate.errors?.at(-1), value) }
  return headersProblem(what, value) ?? { value }
}

function invalid(message: string, details?: Readonly<Record<string, unknown>>): { readonly problem: Problem } {
  return { problem: details === undefined ? { code: 'requestInvalid', message } : { code: 'requestInvalid', message, details } }
}

/** What a schema cannot say of headers: their size as clause 3.6 lays them out, and that an i64 fits in 64 bits. */
function headersProblem(what: string, value: unknown): { readonly problem: Problem } | undefined {
  const { headers } = value as { headers?: JsonHeaders }
  if (headers === undefined) return undefined
  try {
    encodeHeaders(headersFromJson(headers))
    return undefined
  } catch (error) {
    if (!(error instanceof WireError)) throw error
    return invalid(`${what}: ${error.message}`, { field: 'headers', ...error.details })
  }
}

function schemaProblem(what: string, error: ErrorObject | undefined, value: unknown): Problem {
  if (error === undefined) return { code: 'requestInvalid', message: `${what} does not match its schema` }
  const field = error.instancePath.slice(1).replaceAll('/', '.')
  const named = field === '' ? what : `${what}.${field}`
  if (error.keyword === 'additionalProperties') {
    const option = String(error.params.additionalProperty)
    return { code: 'optionUnsupported', message: `${named} has no field '${clip(option)}'`, details: { option: clip(option) } }
  }
  if (error.keyword === 'format' || error.keyword === 'maxLength' || error.keyword === 'propertyNames') {
    const text = error.keyword === 'propertyNames' ? String(error.params.propertyName) : valueAt(value, error.instancePath)
    const size = typeof text === 'string' ? Buffer.byteLength(text) : 0
    if (error.schemaPath.includes('/name/') || error.schemaPath.includes('/text/') || error.keyword === 'propertyNames') {
      if (size > nameSizeMax) {
        return {
          code: 'nameTooLong',
          message: `${named} has ${size} bytes; at most ${nameSizeMax}`,
          details: { field, size, limit: 'nameSizeMax' },
        }
      }
    }
  }
  if (error.keyword === 'enum') {
    const allowed = (error.params.allowedValues as readonly unknown[]).map((each) => JSON.stringify(each)).join(', ')
    return { code: 'requestInvalid', message: `${named} must be one of ${allowed}`, details: { field } }
  }
  return { code: 'requestInvalid', message: `${named} ${error.message ?? 'is not valid'}`, details: { field } }
}

function clip(text: string): string {
  return text.length > 64 ? `${text.slice(0, 64)}…` : text
}

/** The value at a JSON pointer that ajv gave. */
function valueAt(value: unknown, pointer: string): unknown {
  let at = value
  for (const step of pointer.split('/').slice(1)) {
    at = (at as Record<string, unknown>)[step.replaceAll('~1', '/').replaceAll('~0', '~')]
  }
  return at
}

let ajv: Ajv | undefined

/** Compiled on first use: a client needs a handful of the schemas, and a short-lived one should not wait for the rest. */
function validatorOf(schema: string): ValidateFunction {
  ajv ??= newAjv()
  const validate = ajv.getSchema(`${schema}.json`)
  if (validate === undefined) throw new Error(`no schema '${schema}'`)
  return validate
}

function newAjv(): Ajv {
  const made = new Ajv({ strict: true })
  made.addFormat('name', (text: string) => Buffer.byteLength(text) <= nameSizeMax && isWellFormed(text))
  for (const schema of Object.values(schemas)) made.addSchema(schema)
  return made
}
