/**
 * A broker under bad input: attackers of many kinds on raw sockets, and meanwhile an honest client that publishes and consumes.
 * Afterwards the broker is alive, the honest one has been served without delay, and the broker's memory is where it was, and has never been far from it.
 */
import { connect, type Connection } from '@waybill/client'
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { connect as connectSocket, type Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'

const MiB = 1 << 20
/** As the broker may grow, whatever is done to it. */
export const growthMax = 50 * MiB
/**
 * As it may grow in between. Twice that: what it has let go of lies there until garbage is collected, and two passwords at a time are checked in 32 MiB each.
 * (Seen: 45 MiB by floods, 71 MiB by guesses of passwords, 133 MiB if twice as many are checked at a time.)
 */
const peakMax = 2 * growthMax
/**
 * As long as a message of others may take, to be published and consumed. Less than the shortest time that the broker gives an attacker (handshakeMs, 5 s):
 * who waits until somebody else's time is up is held up by it. (Seen: 730 ms on two cores with ten programs to run.)
 */
const slowestMaxMs = 5_000

export class Victim {
  readonly port: number
  readonly #child: ChildProcess
  /** Of the attack, once it is known. */
  #peak: number | undefined

  private constructor(child: ChildProcess, port: number) {
    this.#child = child
    this.port = port
  }

  static async start(options: object = {}): Promise<Victim> {
    const program = fileURLToPath(new URL('victim.js', import.meta.url))
    const child = fork(program, [JSON.stringify(options)], { execArgv: ['--expose-gc'] })
    const [{ port }] = (await once(child, 'message')) as [{ port: number }]
    return new Victim(child, port)
  }

  /** Resident bytes, when garbage has been collected. */
  async memory(): Promise<number> {
    return (await this.#look()).memory
  }

  /** The most bytes that were resident since the last `forgetPeak`. */
  async peak(): Promise<number> {
    return this.#peak ?? (await this.#look()).peak
  }

  async forgetPeak(): Promise<void> {
    this.#child.send('forget')
    await once(this.#child, 'message')
  }

  /** Every thread of its pool has hashed a password: so those that were at it before are done. What these take is ours, and is not in the peak. */
  async hash(): Promise<void> {
    this.#peak = await this.peak()
    this.#child.send('hash')
    await once(this.#child, 'message')
  }

  get isAlive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  async stop(): Promise<void> {
    if (!this.isAlive) return
    this.#child.send('stop')
    await once(this.#child, 'exit')
  }

  async #look(): Promise<{ memory: number; peak: number }> {
    this.#child.send('memory')
    const [found] = (await once(this.#child, 'message')) as [{ memory: number; peak: number }]
    return found
  }
}

/** Publishes and consumes, one message after the other, until it is told to stop. */
export class Honest {
  readonly #connection: Connection
  #count = 0
  #slowestMs = 0
  #isOver = false
  #loop: Promise<void> = Promise.resolve()

  private constructor(connection: Connection) {
    this.#connection = connection
  }

  /** With a name and a password where the broker asks for them. */
  static async start(port: number, credentials: { user?: string; password?: string } = {}): Promise<Honest> {
    const connection = await connect(`waybill://127.0.0.1:${port}`, { log: () => undefined, recovery: false, ...credentials })
    await connection.declareQueue('honest')
    const honest = new Honest(connection)
    honest.#loop = honest.#run()
    return honest
  }

  /** Resolves when it has been served so many times more. */
  async serve(count: number): Promise<void> {
    for (const end = this.#count + count; this.#count < end && !this.#isOver; ) await new Promise((resolve) => setImmediate(resolve))
    if (this.#isOver) await this.#loop
  }

  async stop(): Promise<{ count: number; slowestMs: number }> {
    this.#isOver = true
    await this.#loop
    await this.#connection.close()
    return { count: this.#count, slowestMs: this.#slowestMs }
  }

  async #run(): Promise<void> {
    try {
      while (!this.#isOver) {
        const startedAt = performance.now()
        const body = `message ${this.#count}`
        await this.#connection.publish('', 'honest', body)
        const message = await this.#connection.get('honest', { waitMs: 30_000 })
        if (message === undefined || String(message.body) !== body) throw new Error(`${body} was published, ${String(message?.body)} came`)
        message.ack()
        this.#count++
        this.#slowestMs = Math.max(this.#slowestMs, performance.now() - startedAt)
      }
    } finally {
      this.#isOver = true
    }
  }
}

/** A raw socket that reads everything and remembers the last of it. */
export class Attacker {
  readonly socket: Socket
  readonly closed: Promise<void>
  text = ''

  constructor(port: number, reads = true) {
    this.socket = connectSocket(port, '127.0.0.1')
    this.socket.on('error', () => undefined)
    this.closed = new Promise((resolve) => this.socket.once('close', () => resolve()))
    if (reads) {
      this.socket.on('data', (bytes) => {
        this.text = (this.text + bytes.toString('latin1')).slice(-20_000)
      })
    }
  }

  /** Resolves when the bytes have gone, or the connection has. */
  async send(bytes: Uint8Array): Promise<void> {
    if (this.socket.destroyed) return
    await Promise.race([new Promise<void>((resolve) => this.socket.write(bytes, () => resolve())), this.closed])
  }

  /** Waits for something that it reads. */
  async hears(pattern: RegExp): Promise<void> {
    while (!pattern.test(this.text) && !this.socket.destroyed)
      await Promise.race([once(this.socket, 'data').catch(() => undefined), this.closed])
  }

  end(): void {
    this.socket.destroy()
  }
}

/** Starts a broker and an honest client, lets `attack` loose, and looks at what is left. */
export async function besiege(
  t: Test,
  options: object,
  attack: (victim: Victim, honest: Honest) => Promise<void>,
  credentials: { user?: string; password?: string } = {},
): Promise<void> {
  const victim = await Victim.start(options)
  t.teardown(() => victim.stop())
  const honest = await Honest.start(victim.port, credentials)
  // So that what is made once is there: compiled code, slabs, schemas.
  await honest.serve(300)
  const before = await victim.memory()
  await victim.forgetPeak()
  await attack(victim, honest)
  t.ok(victim.isAlive, 'the broker is alive')
  await honest.serve(20)
  const { count, slowestMs } = await honest.stop()
  const peak = (await victim.peak()) - before
  const growth = (await victim.memory()) - before
  t.ok(growth < growthMax, `memory has grown by ${inMiB(growth)}`)
  t.ok(peak < peakMax, `and in between by ${inMiB(peak)}`)
  t.ok(slowestMs < slowestMaxMs, `the slowest message of others took ${slowestMs.toFixed(0)} ms`)
  t.comment(
    `${count} messages of others meanwhile, the slowest ${slowestMs.toFixed(0)} ms; memory ${inMiB(growth)}, at most ${inMiB(peak)}`,
  )
}

/** Fails if memory is beyond what it may be, in the middle of an attack. */
export async function checkMemory(t: Test, victim: Victim, before: number, what: string): Promise<void> {
  const growth = (await victim.memory()) - before
  t.ok(growth < growthMax, `${what}: ${inMiB(growth)} more`)
}

function inMiB(size: number): string {
  return `${(size / MiB).toFixed(1)} MiB`
}
