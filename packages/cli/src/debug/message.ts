/**
 * A record taken apart for a person: where it goes, what it says about itself, and its body. [P-3]
 *
 * A record is checked as a client checks what is delivered to it, so that a broker section, and properties that are
 * defined but not built yet, are shown as well.
 */
import { headersToJson, type JsonHeaders, type Properties, readRecord, recordFault, recordSize } from '@waybill/protocol'
import { type Fields, Malformed } from './fields.js'

export interface Message {
  readonly exchange: string
  readonly key: string
  readonly persistent: boolean
  /** In the order of their bits. */
  readonly properties: Properties
  readonly headers: JsonHeaders
  readonly body: Uint8Array
  /** Of the whole record. */
  readonly size: number
}

/** Reads `count` records that use up all that is left. Throws Malformed. */
export function readMessages(fields: Fields, count: number): Message[] {
  const messages: Message[] = []
  while (fields.left > 0) {
    const fault = recordFault(fields.bytes, fields.at, fields.bytes.length, true)
    if (fault !== undefined) throw new Malformed(`record ${messages.length + 1}: ${fault.message}`)
    messages.push(readMessage(fields.take(recordSize(fields.bytes, fields.at))))
  }
  if (messages.length !== count) throw new Malformed(`${messages.length} records where ${count} are said to be`)
  return messages
}

function readMessage(bytes: Uint8Array): Message {
  const { exchange, routingKey, persistent, properties, headers, body } = readRecord(bytes, 0)
  return { exchange, key: routingKey, persistent, properties, headers: headersToJson(headers), body, size: bytes.length }
}
