/**
 * Connections that have come and have not said who they are. They get a place for a short time, and there are not many places:
 *
 *     unauthenticatedCount             in all; while they last, for as long as a handshake may take
 *     unauthenticatedPerAddressCount   from one address that is not this machine
 *
 * When there is none left, whoever has had one for the longest gives way, if it has had its chance: an honest client says HELLO with its
 * first bytes. So a flood of connections that say nothing, or say it slowly, pushes itself out, and others get in.
 */
export interface Guest {
  /** Address of the other end, without port. */
  readonly address: string
  /** Whether that is this machine. */
  readonly local: boolean
  /** Milliseconds of the clock. */
  readonly arrivedAt: number
  /** Not while it waits for us: for its password to be checked. */
  readonly canGiveWay: boolean
  /** Its place is needed: it ends. */
  giveWay(): void
}

export interface ReceptionLimits {
  readonly unauthenticatedCount: number
  readonly unauthenticatedPerAddressCount: number
}

/** Time to read what has come with a connection. */
const chanceMs = 100
/** So many times the limit, when nobody has had a chance yet: a thousand clients that come back at once. */
const burst = 2

export class Reception {
  readonly #limits: ReceptionLimits
  readonly #guests = new Set<Guest>()
  readonly #byNeighbourhood = new Map<string, Set<Guest>>()

  constructor(limits: ReceptionLimits) {
    this.#limits = limits
  }

  get count(): number {
    return this.#guests.size
  }

  /** Whether there is no place for anybody, from wherever. */
  get isFull(): boolean {
    return this.#guests.size >= this.#limits.unauthenticatedCount * burst
  }

  /** A connection has come. False: there is no place for it. */
  enter(guest: Guest): boolean {
    const { unauthenticatedCount, unauthenticatedPerAddressCount } = this.#limits
    if (!isRoom(this.#guests, unauthenticatedCount, guest.arrivedAt)) return false
    if (!guest.local) {
      const key = neighbourhood(guest.address)
      const neighbours = this.#byNeighbourhood.get(key) ?? new Set()
      if (!isRoom(neighbours, unauthenticatedPerAddressCount, guest.arrivedAt)) return false
      this.#byNeighbourhood.set(key, neighbours.add(guest))
    }
    this.#guests.add(guest)
    return true
  }

  /** It is known now, or gone. */
  leave(guest: Guest): void {
    if (!this.#guests.delete(guest) || guest.local) return
    const key = neighbourhood(guest.address)
    const neighbours = this.#byNeighbourhood.get(key)
    neighbours?.delete(guest)
    if (neighbours?.size === 0) this.#byNeighbourhood.delete(key)
  }
}

/** Makes room for one more if it can. Who gives way leaves the set by itself. */
function isRoom(guests: Set<Guest>, limit: number, now: number): boolean {
  if (guests.size < limit) return true
  for (const guest of guests) {
    if (now - guest.arrivedAt < chanceMs) break
    if (!guest.canGiveWay) continue
    guest.giveWay()
    break
  }
  return guests.size < limit * burst
}

/** Addresses that one sender can have as many of as it likes count as one: the first 64 bits of version 6. */
function neighbourhood(address: string): string {
  if (!address.includes(':')) return address
  const [head = '', tail] = address.split('%')[0]!.split('::')
  const groups = head === '' ? [] : head.split(':')
  const last = tail === undefined || tail === '' ? [] : tail.split(':')
  if (tail !== undefined) while (groups.length + last.length < 8) groups.push('0')
  return [...groups, ...last].slice(0, 4).join(':')
}
