/**
 * Frames as lines of text:
 *
 *     → PUBLISH ch 1 confirm sequence 1
 *         orders › order.eu.created  persistent contentType=application/json  8 B  {"id":1}
 *     ← CONFIRM ch 1 through 1, credit to 257 and 65536 B
 *         1 is message 1, in 2 queues, received
 *
 * The first line is the frame, every line below it a message, a run, an entry of it. Nothing that came from outside can
 * reach the terminal raw: control characters are written as escapes.
 */
import { errorByCode } from '@waybill/protocol'
import { escapeText } from './escape.js'
import type { Confirmation, Content, Direction, Delivery, Frame, Settlement } from './frame.js'
import { hexdump } from './hexdump.js'
import { judge } from './judge.js'
import type { Message } from './message.js'

const arrows = { in: '←', out: '→' } as const
const indent = '    '
/** Messages, runs, entries of one frame. */
const partsShownMax = 10
const bodyShownMax = 160
const controlShownMax = 1_000

export function frameLines(direction: Direction, frame: Frame): string[] {
  const [first, ...rest] = contentLines(frame.content)
  const title = [arrows[direction], frame.name]
  if (frame.channel !== 0) title.push(`ch ${frame.channel}`)
  if (frame.correlation !== undefined) title.push(`#${frame.correlation}`)
  // That a delivery says its counts is seen by the counts.
  title.push(...frame.flags.filter((flag) => flag !== 'counts'))
  if (first !== undefined && first !== '') title.push(first)
  const fault = judge(direction, frame)
  const below = fault === undefined ? firstOf(rest) : [`against the protocol: ${escapeText(fault)}`, ...firstOf(rest)]
  return [title.join(' '), ...below.map((line) => indent + line)]
}

/** A frame of thousands of messages does not scroll everything else away. */
function firstOf(lines: readonly string[]): readonly string[] {
  return lines.length <= partsShownMax ? lines : [...lines.slice(0, partsShownMax), `… ${lines.length - partsShownMax} more`]
}

/** The bytes of a frame; of a HELLO with a password none. */
export function frameDump(frame: Frame, sizeMax?: number): string[] {
  if (holdsPassword(frame)) return [`${indent}not in hex: it holds a password`]
  return hexdump(frame.bytes, sizeMax).map((line) => indent + line)
}

/** The frame as one value that JSON can say. */
export function frameJson(direction: Direction, frame: Frame): Record<string, unknown> {
  const { name, channel, correlation, flags, content, bytes } = frame
  const { kind, ...fields } = jsonContent(content)
  const fault = judge(direction, frame)
  return {
    direction,
    frame: name,
    channel,
    ...(correlation === undefined ? {} : { correlation }),
    ...(flags.length === 0 ? {} : { flags }),
    ...fields,
    ...(fault === undefined ? {} : { fault }),
    ...(kind === 'malformed' ? { hex: Buffer.from(bytes).toString('hex') } : {}),
  }
}

function jsonContent(content: Content): { kind: string; [field: string]: unknown } {
  if (content.kind === 'control') return { kind: content.kind, body: withoutPassword(content.body) }
  if (content.kind === 'malformed') return { kind: content.kind, malformed: content.why }
  if (content.kind !== 'publish' && content.kind !== 'deliver') return { ...content }
  return { ...content, messages: content.messages.map((message) => ({ ...message, body: jsonBody(message.body) })) }
}

function jsonBody(body: Uint8Array): string | { hex: string } {
  const text = asText(body)
  return text ?? { hex: Buffer.from(body).toString('hex') }
}

/** The rest of the frame's line, and what stands below it. */
function contentLines(content: Content): string[] {
  switch (content.kind) {
    case 'empty':
      return []
    case 'control':
      return [cut(escapeText(JSON.stringify(withoutPassword(content.body))), controlShownMax)]
    case 'publish':
      return [`sequence ${range(content.firstSequence, content.messages.length)}`, ...content.messages.map(messageLine)]
    case 'deliver':
      return [deliveryTitle(content), ...content.messages.map(messageLine)]
    case 'settle':
      return content.entries.length === 1
        ? [settlementLine(content.entries[0]!)]
        : [`${content.entries.length} entries`, ...content.entries.map(settlementLine)]
    case 'confirm':
      return confirmLines(content)
    case 'credit':
      return [`to sequence ${content.creditSequence} and ${content.creditSize} B`]
    case 'window':
      return content.consumer === 0
        ? [`${content.size} B of credit are needed`]
        : [`consumer ${content.consumer} may hold ${plural(content.messageCount, 'message')} and ${content.size} B`]
    case 'malformed':
      return [`cannot be read: ${content.why}`]
  }
}

function deliveryTitle(delivery: Delivery): string {
  const { firstTag, firstMessageId, consumer, deliveryCount, failureCount, messages } = delivery
  const parts = [`consumer ${consumer}`, `tag ${range(firstTag, messages.length)}`, `message ${range(firstMessageId, messages.length)}`]
  if (deliveryCount !== 1 || failureCount !== 0) parts.push(`delivery ${deliveryCount}`, plural(failureCount, 'failure'))
  return parts.join(', ')
}

function messageLine(message: Message): string {
  const exchange = message.exchange === '' ? '""' : escapeText(message.exchange)
  const key = message.key === '' ? '""' : escapeText(message.key)
  const about = [message.persistent ? 'persistent' : 'transient']
  for (const [name, value] of Object.entries(message.properties)) about.push(`${name}=${quoted(value)}`)
  for (const [name, value] of Object.entries(message.headers)) about.push(`header.${escapeText(name)}=${quoted(value)}`)
  const parts = [`${exchange} › ${key}`, about.join(' '), `${message.body.length} B`]
  if (message.body.length > 0) parts.push(bodyText(message.body))
  return parts.join('  ')
}

/** The body as text if it is text, else as hex; its begin only, when it is long. */
function bodyText(body: Uint8Array): string {
  const text = asText(body)
  if (text !== undefined) return cut(escapeText(text), bodyShownMax)
  return cut(Buffer.from(body).toString('hex'), bodyShownMax)
}

function settlementLine(settlement: Settlement): string {
  const { firstTag, count, outcome, delayMs, reason } = settlement
  const parts = [`${outcome} ${range(firstTag, count)}`]
  if (delayMs !== undefined) parts.push(`after ${delayMs} ms`)
  if (reason !== '') parts.push(quoted(reason))
  return parts.join(' ')
}

function confirmLines(confirm: Confirmation): string[] {
  const lines = [`through ${confirm.through}, credit to ${confirm.creditSequence} and ${confirm.creditSize} B`]
  for (const { firstSequence, firstMessageId, count, queueCount, level } of confirm.runs) {
    const is = count === 1 ? 'is' : 'are'
    lines.push(`${range(firstSequence, count)} ${is} message ${range(firstMessageId, count)}, in ${plural(queueCount, 'queue')}, ${level}`)
  }
  for (const { sequence, code, queueCount, detail } of confirm.exceptions) {
    const taken = queueCount === 0 ? '' : ` (in ${plural(queueCount, 'queue')})`
    lines.push(`${sequence} refused${taken}: ${errorTitle(code)}${detail === '' ? '' : `: ${escapeText(detail)}`}`)
  }
  return lines
}

/** `312 unroutable` */
export function errorTitle(code: number): string {
  return `${code} ${errorByCode(code)?.name ?? '(unknown)'}`
}

export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}

/** `3`, `3-7` */
function range(first: number, count: number): string {
  return count === 1 ? String(first) : `${first}-${first + count - 1}`
}

function holdsPassword(frame: Frame): boolean {
  return frame.content.kind === 'control' && 'password' in frame.content.body
}

function withoutPassword(body: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return 'password' in body ? { ...body, password: '(hidden)' } : body
}

function quoted(value: unknown): string {
  if (typeof value === 'number' || typeof value === 'boolean' || value === null) return String(value)
  if (typeof value === 'string' && /^[\w./:+-]+$/.test(value)) return value
  return escapeText(JSON.stringify(value))
}

/** The text that some bytes are, unless they are none: not UTF-8, or with control characters that no text has. */
function asText(bytes: Uint8Array): string | undefined {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
    return /[^\P{Cc}\t\n\r]/u.test(text) ? undefined : text
  } catch {
    return undefined
  }
}

function cut(text: string, lengthMax: number): string {
  return text.length <= lengthMax ? text : `${text.slice(0, lengthMax)}… (${text.length - lengthMax} more)`
}
