/** Properties and headers of a publish as bytes: what the program gave, and the content type that the form of the body implies. */
import { type EncodedMeta, encodeMeta, WireError } from '@waybill/protocol'
import { checkHeaders } from '../arguments.js'
import { type BodyForm, jsonType, textType } from '../body.js'
import { PublishError, UsageError } from '../errors.js'
import type { Properties, PublishOptions } from '../types.js'

/** Without properties of its own a message has one of these. */
export const plainMeta: Readonly<Record<BodyForm, EncodedMeta | undefined>> = {
  bytes: undefined,
  text: encodeMeta({ contentType: textType }, undefined),
  json: encodeMeta({ contentType: jsonType }, undefined),
}

/** The content type that the form of a body implies. */
export const typeOfForm: Readonly<Record<BodyForm, string | undefined>> = { bytes: undefined, text: textType, json: jsonType }

/**
 * Throws PublishError `PROPERTY_UNSUPPORTED` for a property that the protocol does not carry out, and UsageError `PROPERTY_INVALID` for
 * a value that does not fit or headers beyond their limits. An option that does not exist is such a property: nothing is ignored.
 */
export function metaOf(form: BodyForm, properties: Properties | PublishOptions): EncodedMeta | undefined {
  if (isPlain(properties)) return plainMeta[form]
  checkHeaders(properties.headers)
  const wire: Record<string, unknown> = { contentType: typeOfForm[form] }
  for (const [name, value] of Object.entries(properties)) {
    if (value !== undefined && !isOption(name)) wire[name] = value
  }
  try {
    return encodeMeta(wire, properties.headers)
  } catch (error) {
    if (!(error instanceof WireError)) throw error
    if (error.code === 'propertyUnsupported') throw new PublishError('PROPERTY_UNSUPPORTED', error.message, 'no', { cause: error })
    throw new UsageError('PROPERTY_INVALID', error.message, { cause: error })
  }
}

/** What a publisher's `send` takes: properties alone. Throws UsageError `OPTION_UNKNOWN` for what only `publish` can do. */
export function checkProperties(properties: Properties): void {
  if (typeof properties !== 'object' || properties === null) throw new UsageError('OPTION_INVALID', 'the properties of send are an object')
  const { mandatory, confirm, timeoutMs, signal, persistent } = properties as PublishOptions
  if (persistent !== undefined && typeof persistent !== 'boolean') throw new UsageError('OPTION_INVALID', 'persistent is true or false')
  if (mandatory === undefined && confirm === undefined && timeoutMs === undefined && signal === undefined) return
  const name = Object.keys({ mandatory, confirm, timeoutMs, signal }).find(
    (each) => (properties as Record<string, unknown>)[each] !== undefined,
  )
  throw new UsageError('OPTION_UNKNOWN', `send has no option '${name}'; publish has it`)
}

/** Whether it is an option of the publish, not a part of the message. Asked for each message: comparing costs a tenth of a set. */
function isOption(name: string): boolean {
  return (
    name === 'persistent' || name === 'mandatory' || name === 'confirm' || name === 'headers' || name === 'timeoutMs' || name === 'signal'
  )
}

/** Nothing in it that travels with the message; the usual case, and no object is made for it. */
function isPlain(properties: object): boolean {
  for (const name in properties) {
    if (name === 'headers') {
      if ((properties as Properties).headers !== undefined) return false
    } else if (!isOption(name) && (properties as Record<string, unknown>)[name] !== undefined) return false
  }
  return true
}
