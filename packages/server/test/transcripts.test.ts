/**
 * Every conversation of spec/transcripts that is for a server: against a turn on a clock of paper, in one piece and byte by byte, and
 * against a broker over TCP. A broker that keeps has a log of paper, or a directory of its own.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { type Transcript, TranscriptPlayer } from '@waybill/protocol/testing'
import { UserAuthenticator } from '../dist/auth/authenticator.js'
import { hashPassword } from '../dist/auth/passwords.js'
import { createBroker } from '../dist/create-broker.js'
import { fullAccess, type Authenticator } from '../dist/session/access.js'
import { openStore } from '../dist/storage/open-store.js'
import { PaperLog } from './stage/paper-log.js'
import { Stage } from './stage/stage.js'

const directory = fileURLToPath(new URL('../../../spec/transcripts/', import.meta.url))
const transcripts = readdirSync(directory)
  .filter((name) => name.endsWith('.json'))
  .map((name) => JSON.parse(readFileSync(directory + name, 'utf8')) as Transcript)
  .filter(({ against }) => against.includes('server'))

/** Above this a pause is for a clock that can be moved. */
const pauseMaxMs = 100

/** Cheap enough for hundreds of logins. */
const cost = 256

async function usersOf({ broker }: Transcript) {
  const everything = { configure: ['*'], write: ['*'], read: ['*'] }
  const users = broker?.users ?? []
  return Promise.all(
    users.map(async ({ user: name, password }) => ({
      name,
      passwordHash: await hashPassword(password, { cost }),
      permissions: everything,
      monitor: true,
    })),
  )
}

async function playOnPaper(transcript: Transcript, pieceSize: number): Promise<void> {
  const users = await usersOf(transcript)
  const authenticator: Authenticator =
    users.length > 0 ? new UserAuthenticator(users, { now: () => stage.clock.now() }) : { check: (_, done) => done(fullAccess) }
  const log = new PaperLog()
  const store =
    transcript.broker?.keeps === 'disk'
      ? await openStore(
          log,
          () => undefined,
          () => 0,
        )
      : undefined
  const stage = new Stage({ authenticator, ...(store === undefined ? {} : { store }) })
  log.wake = () => stage.clock.soon(stage.turn.run)
  const peer = stage.connect()
  const player = new TranscriptPlayer(transcript, 'client')
  let waitsSince = 0
  for (let action = player.next(); action.kind !== 'done'; action = player.next()) {
    switch (action.kind) {
      case 'send':
        for (let at = 0; at < action.bytes.length; at += pieceSize) peer.send(action.bytes.subarray(at, at + pieceSize))
        waitsSince = 0
        break
      case 'pause':
        stage.pass(action.ms)
        break
      case 'end':
        peer.end()
        break
      case 'receive': {
        // Passwords are checked on another thread; everything else has happened already.
        const now = performance.now()
        if (waitsSince === 0) waitsSince = now
        else await new Promise((resolve) => setImmediate(resolve))
        if (now - waitsSince > 20_000) throw new Error(`${transcript.name}: nothing comes at ${player.position}`)
        stage.clock.settle()
        player.receive(peer.heardBytes())
        if (peer.isOver) player.ended()
      }
    }
    stage.turn.invariants()
  }
  peer.cut()
  stage.turn.invariants()
}

t.test('transcripts - every conversation is answered as it is written', async (t) => {
  t.ok(transcripts.length > 60)
  for (const transcript of transcripts) await t.resolves(playOnPaper(transcript, Infinity), transcript.name)
})

t.test('transcripts - the same when bytes come one by one', async (t) => {
  for (const transcript of transcripts) await t.resolves(playOnPaper(transcript, 1), transcript.name)
})

t.test('transcripts - the same over TCP', async (t) => {
  const played = transcripts.filter(({ steps }) => steps.every((step) => !('pause' in step) || step.pause <= pauseMaxMs))
  t.ok(played.length > 50)
  for (const transcript of played) {
    const users = await usersOf(transcript)
    const data = transcript.broker?.keeps === 'disk' && t.testdir({})
    const broker = await createBroker({ listen: { port: 0 }, log: 'none', users, data })
    await t.resolves(playOverTcp(t, transcript, broker.address!.port), transcript.name)
    await broker.close({ graceMs: 0 })
  }
})

async function playOverTcp(t: Test, transcript: Transcript, port: number): Promise<void> {
  const socket: Socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  let wake: () => void = () => undefined
  const player = new TranscriptPlayer(transcript, 'client')
  socket.on('data', (bytes) => {
    player.receive(bytes)
    wake()
  })
  for (const event of ['end', 'close'] as const) {
    socket.on(event, () => {
      player.ended()
      wake()
    })
  }
  socket.on('error', (error) => t.comment(transcript.name, error.message))
  for (let action = player.next(); action.kind !== 'done'; action = player.next()) {
    switch (action.kind) {
      case 'send':
        socket.write(action.bytes)
        break
      case 'pause':
        await new Promise((resolve) => setTimeout(resolve, action.ms))
        break
      case 'end':
        socket.end()
        break
      case 'receive':
        await new Promise<void>((resolve, reject) => {
          const timer = setTimeout(() => reject(new Error(`${transcript.name}: nothing comes at ${player.position}`)), 10_000)
          wake = () => {
            clearTimeout(timer)
            resolve()
          }
        })
    }
  }
  socket.destroy()
}
