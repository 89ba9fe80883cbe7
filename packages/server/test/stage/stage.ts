/** A whole turn on a clock and sockets of paper: what comes in is carried out at once, what goes out can be looked at. */
import { type Limits, limitsWith } from '../../dist/limits.js'
import type { Transport } from '../../dist/ports/transport.js'
import { type Authenticator, fullAccess } from '../../dist/session/access.js'
import type { OpenStore } from '../../dist/storage/open-store.js'
import { Turn } from '../../dist/turn/turn.js'
import { PaperClock } from './paper-clock.js'
import { PaperTransport } from './paper-transport.js'
import { Peer } from './peer.js'

export interface StageOptions {
  readonly clock?: PaperClock
  readonly limits?: Partial<Limits>
  readonly authenticator?: Authenticator
  readonly virtualHosts?: readonly string[]
  /** Nothing is kept without one. */
  readonly store?: OpenStore
  readonly snapshotEvery?: number
}

export interface LogEntry {
  readonly level: string
  readonly event: string
  readonly [field: string]: unknown
}

export class Stage {
  readonly clock: PaperClock
  readonly turn: Turn
  readonly log: LogEntry[] = []
  #nextPort = 50_000

  constructor({
    limits = {},
    authenticator = everybody,
    virtualHosts = ['default'],
    store,
    snapshotEvery,
    clock = new PaperClock(),
  }: StageOptions = {}) {
    this.clock = clock
    let drawn = 0
    this.turn = new Turn({
      clock: this.clock,
      entropy: { random: () => 0.5, name: (size) => String(drawn++).padStart(size, 'x') },
      log: (level, event, fields) => this.log.push({ level, event, ...fields }),
      limits: limitsWith(limits, 256 << 20),
      authenticator,
      virtualHosts,
      version: '0.1.0',
      store,
      snapshotEvery,
    })
  }

  /** A new connection that has said nothing. */
  connect(address = '127.0.0.1'): Peer {
    const transport = new PaperTransport(`${address}:${this.#nextPort++}`, address.startsWith('127.'))
    transport.handler = this.turn.accept(transport satisfies Transport)
    this.clock.settle()
    return new Peer(transport, this.clock)
  }

  pass(ms: number): void {
    this.clock.pass(ms)
    this.turn.invariants()
  }

  /** Entries of an event since the start. */
  logged(event: string): LogEntry[] {
    return this.log.filter((entry) => entry.event === event)
  }
}

const everybody: Authenticator = { check: (_credentials, done) => done(fullAccess) }
