/** Commands about the conversation itself: channels, raw bytes, waiting, and how frames are shown. */
import { FrameType } from '@waybill/protocol'
import { all, type Command, define, maybe, place } from './command.js'
import { choice, count, hex } from './kinds.js'
import type { Steps } from './steps.js'
import { tableLines } from './table.js'
import { answerMs, type Talk } from './talk.js'

const channelNumber = count('channel', 1, 0xffff)
const dayMs = 86_400_000
const onOff = choice('on', 'off')

export const toolCommands: readonly Command[] = [
  define({
    name: 'channel',
    summary: 'goes to a channel, and opens it if it is not open; without a number it says where you are',
    details: ['Each channel has its own order, tags, consumers and credit. A new session is on channel 1.'],
    examples: ['channel 2'],
    places: { channel: maybe(channelNumber) },
    options: {},
    *run(talk, { channel }) {
      if (channel === undefined) return yield* sayStatus(talk)
      yield* talk.open(channel)
      talk.channel = channel
    },
  }),
  define({
    name: 'close',
    summary: 'closes a channel, this one if no other is named; what is unsettled on it goes back to its queues',
    examples: ['close', 'close 2'],
    places: { channel: maybe(channelNumber) },
    options: {},
    *run(talk, { channel = talk.current().number }) {
      yield* talk.request('close', {}, channel)
      talk.channels.delete(channel)
    },
  }),
  define({
    name: 'raw',
    summary: 'sends any bytes at all, as they are',
    details: ['answers=1 waits for that many frames. What a broker says to nonsense is in the errors of the specification.'],
    examples: ['raw 00000004 07 00 0000', 'raw 00000004 99 00 0001 answers=1'],
    places: { bytes: all(hex) },
    options: { answers: count('count', 0, 1_000) },
    *run(_talk, { bytes, options }) {
      yield { step: 'send', bytes: Buffer.concat(bytes) }
      let left = options.answers ?? 0
      if (left === 0) return
      yield {
        step: 'wait',
        until: (frame) => frame !== undefined && frame.type !== FrameType.heartbeat && --left === 0,
        timeoutMs: answerMs,
        for: 'an answer',
      }
    },
  }),
  define({
    name: 'wait',
    summary: 'waits for messages to be delivered, or for some time to pass',
    details: ['Messages that came before, and that no other wait or get has counted, count. Fails after timeoutMs, 30 s by default.'],
    examples: ['wait 3 messages', 'wait 3 messages timeoutMs=5000', 'wait 500 ms'],
    places: { count: place(count('count', 1, dayMs)), unit: place(choice('messages', 'message', 'ms')) },
    options: { timeoutMs: count('ms', 1, dayMs) },
    *run(talk, { count, unit, options }) {
      if (unit === 'ms') yield { step: 'pause', ms: count }
      else yield* talk.seen(count, options.timeoutMs ?? answerMs)
    },
  }),
  define({
    name: 'hex',
    summary: 'shows the bytes of every frame, of none, or of those that are small (auto, on a terminal)',
    examples: ['hex on'],
    places: { hex: place(choice('on', 'off', 'auto')) },
    options: {},
    *run(_talk, { hex }) {
      yield { step: 'set', settings: { hex } }
    },
  }),
  define({
    name: 'json',
    summary: 'shows every frame as one line of JSON, for programs',
    examples: ['json on'],
    places: { json: place(onOff) },
    options: {},
    *run(_talk, { json }) {
      yield { step: 'set', settings: { json: json === 'on' } }
    },
  }),
  define({
    name: 'heartbeats',
    summary: 'shows heartbeats as well; they are sent and answered in any case',
    examples: ['heartbeats on'],
    places: { heartbeats: place(onOff) },
    options: {},
    *run(_talk, { heartbeats }) {
      yield { step: 'set', settings: { heartbeats: heartbeats === 'on' } }
    },
  }),
  define({
    name: 'status',
    summary: 'says who you talk to and what each channel has published, may publish, and was delivered',
    places: {},
    options: {},
    *run(talk) {
      yield* sayStatus(talk)
    },
  }),
  define({
    name: 'quit',
    summary: 'closes the connection and ends the tool',
    places: {},
    options: {},
    *run() {
      yield { step: 'quit' }
    },
  }),
]

function* sayStatus(talk: Talk): Steps {
  const { server, log, connection, heartbeatMs } = talk.server ?? {}
  const rows = [...talk.channels.values()].map(({ number, sequence, publishedSize, creditSequence, creditSize, lastTag, consumers }) => ({
    channel: number,
    published: sequence,
    size: publishedSize,
    'credit to': creditSequence,
    'and size': creditSize,
    'last tag': lastTag,
    consumers: [...consumers.values()].map(({ id, queue }) => `${id} ${queue}`).join(', '),
  }))
  const lines = [
    `${server?.product} ${server?.version}, log ${log}, connection ${connection}; heartbeat every ${heartbeatMs} ms, ${talk.heartbeatCount} received`,
    ...(rows.length === 0 ? ['no channel is open'] : tableLines(rows)),
    `commands go to channel ${talk.channel}`,
  ]
  yield { step: 'say', lines }
}
