/**
 * A broker under bad input: attackers of many kinds on raw sockets, and meanwhile an honest client that publishes and consumes.
 * Afterwards the broker is alive, the honest one has been served, and the broker's memory is where it was.
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

export class Victim {
  readonly port: number
  readonly #child: ChildProcess

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
    this.#child.send('memory')
    const [{ memory }] = (await once(this.#child, 'message')) as [{ memory: number }]
    return memory
  }

  /** Every thread of its pool has hashed a password: so those that were at it before are done. */
  async hash(): Promise<void> {
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
  await attack(victim, honest)
  t.ok(victim.isAlive, 'the broker is alive')
  await honest.serve(20)
  const { count, slowestMs } = await honest.stop()
  const growth = (await victim.memory()) - before
  t.ok(growth < growthMax, `memory has grown by ${(growth / MiB).toFixed(1)} MiB`)
  t.comment(`${count} messages of others meanwhile, the slowest ${slowestMs.toFixed(0)} ms; memory ${(growth / MiB).toFixed(1)} MiB`)
}

/** Fails if memory is beyond what it may be, in the middle of an attack. */
export async function checkMemory(t: Test, victim: Victim, before: number, what: string): Promise<void> {
  const growth = (await victim.memory()) - before
  t.ok(growth < growthMax, `${what}: ${(growth / MiB).toFixed(1)} MiB more`)
}
