/** The vectors of the specification, as the tool shows them: every field of a valid frame, and that an invalid one is noticed. */
import { readFileSync } from 'node:fs'
import t from 'tap'
import { type Frame, readFrame } from '../../dist/debug/frame.js'
import { judge } from '../../dist/debug/judge.js'
import { frameJson, frameLines } from '../../dist/debug/show.js'

interface Vector {
  readonly name: string
  readonly from: 'client' | 'server'
  readonly hex: string
  readonly error?: string
  readonly frame: {
    readonly type: string
    readonly channel: number
    readonly correlation?: number
    readonly flags?: readonly string[]
    readonly [field: string]: unknown
  }
}

function vectors(file: string): Vector[] {
  const path = new URL(`../../../../spec/vectors/${file}`, import.meta.url)
  return (JSON.parse(readFileSync(path, 'utf8')) as { vectors: Vector[] }).vectors
}

function directionOf({ from }: Vector): 'in' | 'out' {
  return from === 'server' ? 'in' : 'out'
}

/** What our frame says, in the words of the vectors. */
function said({ name, channel, correlation, flags, content }: Frame): Record<string, unknown> {
  const shared = { type: name, channel, ...(correlation === undefined ? {} : { correlation }) }
  const named = flags.map((flag) => flag.toUpperCase()).map((flag) => (flag.startsWith('LEVEL=') ? flag.slice('LEVEL='.length) : flag))
  switch (content.kind) {
    case 'publish':
    case 'deliver': {
      const { kind: _kind, messages, ...fields } = content
      const records = messages.map(({ exchange, key, persistent, properties, headers, body }) => {
        return { exchange, routingKey: key, persistent, properties, headers, body: Buffer.from(body).toString('hex') }
      })
      return { ...shared, flags: named, ...fields, records }
    }
    case 'settle':
      return { ...shared, entries: content.entries.map((entry) => ({ ...entry, delayMs: entry.delayMs ?? null })) }
    case 'control':
      return { ...shared, json: content.body }
    default: {
      const { kind: _kind, ...fields } = content
      return { ...shared, ...fields }
    }
  }
}

t.test('vectors - every valid frame is shown with all its fields, and nothing is wrong with it', async (t) => {
  for (const vector of vectors('frames.json')) {
    const frame = readFrame(Buffer.from(vector.hex, 'hex'))
    const { answers: _answers, level, ...expected } = vector.frame
    const flags = level === undefined ? expected.flags : [...(expected.flags ?? []), String(level).toUpperCase()]
    t.same(said(frame), flags === undefined ? expected : { ...expected, flags }, vector.name)
    t.equal(judge(directionOf(vector), frame), undefined, vector.name)
    t.ok(frameLines(directionOf(vector), frame)[0].includes(vector.frame.type))
  }
})

t.test('vectors - every invalid frame that is whole is noticed, and shown all the same', async (t) => {
  let count = 0
  for (const vector of vectors('invalid.json')) {
    const bytes = Buffer.from(vector.hex, 'hex')
    const isWhole = bytes.length >= 8 && bytes.readUInt32BE() >= ((bytes[5] & 1) === 0 ? 4 : 8) && bytes.length === 4 + bytes.readUInt32BE()
    if (!isWhole) continue
    count++
    const frame = readFrame(bytes)
    const noticed = frame.content.kind === 'malformed' || judge(directionOf(vector), frame) !== undefined
    t.ok(noticed, `${vector.name} (${vector.error})`)
    t.match(frameLines(directionOf(vector), frame).join('\n'), /cannot be read|against the protocol/)
    t.match(JSON.stringify(frameJson(directionOf(vector), frame)), /"malformed":|"fault":/)
  }
  t.ok(count > 200, `${count} vectors`)
})
