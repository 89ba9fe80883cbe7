/** The conversations of the specification, played by a server that knows nothing but the transcript, against this client. */
import type { Connection, Message, WaybillError } from '@waybill/client'
import { connectWith, type Socket, type Transport, type TransportHandlers } from '@waybill/client/testing'
import { ErrorCode, type ErrorName } from '@waybill/protocol'
import { type Transcript, TranscriptPlayer } from '@waybill/protocol/testing'
import { readdirSync, readFileSync } from 'node:fs'
import t from 'tap'
import { Collected } from './support/collect.js'
import { settle, VirtualClock } from './support/virtual-clock.js'

const directory = new URL('../../../spec/transcripts/', import.meta.url)

/** The transcript's side of one connection. */
class PlayedSocket implements Socket {
  readonly writableLength = 0
  readonly player: TranscriptPlayer
  readonly handlers: TransportHandlers
  isEnded = false

  constructor(player: TranscriptPlayer, handlers: TransportHandlers) {
    this.player = player
    this.handlers = handlers
  }

  write(bytes: Uint8Array): boolean {
    this.player.receive(Buffer.from(bytes))
    return true
  }

  end(): void {
    this.#finish()
  }

  destroy(): void {
    this.#finish()
  }

  close(): void {
    this.#finish()
  }

  #finish(): void {
    if (this.isEnded) return
    this.isEnded = true
    this.player.ended()
    queueMicrotask(() => this.handlers.closed())
  }
}

/** What the program does at a step: calls are remembered by name, so that their outcome can be looked at later. */
class Program {
  readonly clock = new VirtualClock()
  readonly messages = new Collected<Message>()
  readonly #player: TranscriptPlayer
  readonly #outcomes = new Map<string, Promise<unknown>>()
  readonly #held: Message[] = []
  socket: PlayedSocket | undefined

  constructor(player: TranscriptPlayer) {
    this.#player = player
  }

  async call(name: string, args: readonly unknown[]): Promise<void> {
    if (name === 'connect') {
      const transport: Transport = {
        open: (_target, handlers) => {
          this.socket = new PlayedSocket(this.#player, handlers)
          return this.socket
        },
      }
      const options = { recovery: false, connectTimeoutMs: 100, log: () => {}, ...(args[0] as object) } as const
      this.#keep(name, connectWith({ transport, clock: this.clock }, 'waybill://played:1', options))
      return
    }
    if (name === 'expectMessage') {
      const message = this.messages.all[0] ?? ((await this.#outcomes.get('get')) as Message)
      if (message?.body !== args[0]) throw new Error(`the message is ${String(message?.body)}`)
      this.#held.push(message)
      return
    }
    if (name === 'expect') {
      const outcome = (await this.#outcomes.get(String(args[0]))) as Record<string, unknown>
      for (const [key, value] of Object.entries(args[1] as object)) {
        if (outcome[key] !== value) throw new Error(`${key} is ${String(outcome[key])}`)
      }
      return
    }
    if (name === 'expectError') {
      const wanted = codeOf((args[1] as { code: ErrorName }).code)
      const code = await this.#outcomes.get(String(args[0]))?.then(
        () => 'none',
        (error: WaybillError) => error.code,
      )
      if (code !== wanted) throw new Error(`the error is ${code}, not ${wanted}`)
      return
    }
    const connection = (await this.#outcomes.get('connect')) as Connection
    if (name === 'consume')
      this.#keep(
        name,
        connection.consume(String(args[0]), (message) => this.messages.add(message)),
      )
    else if (name === 'get') this.#keep(name, connection.get(String(args[0])))
    else if (name === 'sendToQueue') this.#keep(name, connection.sendToQueue(String(args[0]), args[1]))
    else if (name === 'close') this.#keep(name, connection.close())
    else throw new Error(`a transcript calls '${name}', which this test does not know`)
  }

  /** How the first call, or the one after it, ended: nothing may be left open. */
  outcome(name: string): Promise<unknown> | undefined {
    return this.#outcomes.get(name)
  }

  #keep(name: string, promise: Promise<unknown>): void {
    promise.catch(() => {})
    this.#outcomes.set(name, promise)
  }
}

function codeOf(name: ErrorName): string {
  if (ErrorCode[name] === undefined) throw new Error(`no error '${name}'`)
  return name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()
}

const transcripts = readdirSync(directory)
  .filter((file) => file.endsWith('.json'))
  .map((file) => JSON.parse(readFileSync(new URL(file, directory), 'utf8')) as Transcript)
  .filter(({ against }) => against.includes('client'))

t.ok(transcripts.length > 0)

for (const transcript of transcripts) {
  t.test(`transcripts - ${transcript.name}`, async (t) => {
    const player = new TranscriptPlayer(transcript, 'server')
    const program = new Program(player)
    for (let quiet = 0; quiet < 50; ) {
      const action = player.next()
      if (action.kind === 'done') {
        t.pass(transcript.about)
        program.socket?.close()
        await program.clock.advance(1_000)
        return
      }
      quiet = action.kind === 'receive' ? quiet + 1 : 0
      if (action.kind === 'send') program.socket?.handlers.ingest(action.bytes, 0, action.bytes.length)
      else if (action.kind === 'end') program.socket?.close()
      else if (action.kind === 'pause') await program.clock.advance(action.ms)
      else if (action.kind === 'call') await program.call(action.call[0], action.call.slice(1))
      await settle()
    }
    t.fail(`the client did not get to ${player.position}`)
  })
}
