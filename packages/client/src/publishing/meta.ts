/** Properties and headers of a publish as bytes: what the program gave, and the content type that the form of the body implies. */
import { type EncodedMeta, encodeMeta, WireError } from '@waybill/protocol'
import { type BodyForm, jsonType, textType } from '../body.js'
import { PublishError, UsageError } from '../errors.js'
import type { Properties, PublishOptions } from '../types.js'

/** Without properties of its own a message has one of these. */
export const plainMeta: Readonly<Record<BodyForm, EncodedMeta | undefined>> = {
  bytes: undefined,
  text: encodeMeta({ contentType: textType }, undefined),
  json: encodeMeta({ contentType: jsonType }, undefined),
}

const typeOfForm: Readonly<Record<BodyForm, string | undefined>> = { bytes: undefined, text: textType, json: jsonType }

/** Options of a publish that are not part of the message. */
const ownOptions = new Set(['persistent', 'headers', 'mandatory', 'timeoutMs', 'signal', 'confirm'])

/**
 * Throws PublishError `PROPERTY_UNSUPPORTED` for a property that the protocol does not carry out, and UsageError `PROPERTY_INVALID` for a value
 * that does not fit or headers beyond their limits. An option that does not exist is such a property: nothing is ignored.
 */
export function metaOf(form: BodyForm, properties: Properties | PublishOptions): EncodedMeta | undefined {
  const wire: Record<string, unknown> = { contentType: typeOfForm[form] }
  let given = 0
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || ownOptions.has(name)) continue
    wire[name] = value
    given++
  }
  const { headers } = properties
  if (given === 0 && headers === undefined) return plainMeta[form]
  try {
    return encodeMeta(wire, headers)
  } catch (error) {
    if (!(error instanceof WireError)) throw error
    if (error.code === 'propertyUnsupported') throw new PublishError('PROPERTY_UNSUPPORTED', error.message, 'no', { cause: error })
    throw new UsageError('PROPERTY_INVALID', error.message, { cause: error })
  }
}
