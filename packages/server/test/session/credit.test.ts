import t from 'tap'
import { type CreditHolder, creditSizeFirst, creditSizeMax, PublisherCredit } from '../../dist/session/credit.js'
import { forSeeds, type Random } from '../seeds.js'

const MiB = 1 << 20

/** A channel that publishes. What is published is in memory until it is settled. */
class Publisher implements CreditHolder {
  publishedSequence = 0
  publishedSize = 0
  creditSequence = 0
  creditSize = 0
  creditWindow = 0
  neededSize = 0
  holdsUnsettled = false
  toldCount = 0

  get creditLeft(): number {
    return Math.max(0, this.creditSize - this.publishedSize)
  }

  mayUseReserve(): boolean {
    return this.holdsUnsettled
  }

  creditGrown(): void {
    this.toldCount++
  }
}

class World {
  readonly credit: PublisherCredit
  readonly publishers = new Set<Publisher>()
  used = 0

  constructor(budget: number, diskFreeMin?: number) {
    this.credit = new PublisherCredit(budget, () => this.used, diskFreeMin)
  }

  open(): Publisher {
    const publisher = new Publisher()
    this.publishers.add(publisher)
    this.credit.open(publisher)
    return publisher
  }

  close(publisher: Publisher): void {
    this.credit.close(publisher)
    this.publishers.delete(publisher)
  }

  /** Publishes one message; what is beyond the credit is refused, and counts all the same. */
  publish(publisher: Publisher, size: number): boolean {
    const left = publisher.creditLeft
    const isTaken = size <= left && publisher.publishedSequence < publisher.creditSequence
    publisher.publishedSequence++
    publisher.publishedSize += size
    if (isTaken) this.used += size
    this.credit.used(left - publisher.creditLeft)
    this.credit.renew(publisher)
    return isTaken
  }

  /** As a client that obeys: says what it needs when it has to. */
  wants(publisher: Publisher, size: number): boolean {
    const isCovered = () => size <= publisher.creditLeft && publisher.publishedSequence < publisher.creditSequence
    if (!isCovered()) {
      publisher.neededSize = size
      this.credit.renew(publisher)
    }
    return isCovered() && this.publish(publisher, size)
  }

  settle(size: number): void {
    this.used -= Math.min(this.used, size)
  }

  turn(): void {
    if (this.credit.isAwaited) this.credit.serve()
    this.credit.invariants(this.publishers)
  }

  get unused(): number {
    return this.credit.unusedSize
  }
}

t.test('credit - the first window is 64 KiB and 256 messages, and doubles to 8 MiB with what is used up', async (t) => {
  const world = new World(1024 * MiB)
  const publisher = world.open()
  t.equal(publisher.creditSize, creditSizeFirst)
  t.equal(publisher.creditSequence, 256)
  let largest = 0
  for (let i = 0; i < 40_000; i++) {
    t.ok(world.publish(publisher, 1_000)) || t.bailout()
    world.settle(1_000)
    largest = Math.max(largest, publisher.creditLeft)
  }
  t.ok(largest > creditSizeMax / 2)
  t.ok(largest <= creditSizeMax)
})

t.test('credit - it is renewed before it is used up, so that a publisher that is kept up with never waits', async (t) => {
  for (const size of [16, 1_000, 30_000]) {
    const world = new World(256 * MiB)
    const publisher = world.open()
    for (let i = 0; i < 5_000; i++) {
      t.ok(world.publish(publisher, size)) || t.bailout()
      world.settle(size)
    }
    t.notOk(world.credit.blocked)
  }
})

t.test('credit - refused messages count too: a client that sends nonsense only is granted more in the end', async (t) => {
  const world = new World(256 * MiB)
  const publisher = world.open()
  for (let i = 0; i < 1_000; i++) {
    const left = publisher.creditLeft
    publisher.publishedSequence++
    publisher.publishedSize += 1_000
    world.credit.used(left - publisher.creditLeft)
    world.credit.renew(publisher)
    world.turn()
  }
  t.ok(publisher.creditSize > publisher.publishedSize)
})

t.test('credit - who sends more than it was granted has to make up for it, and does not wedge itself', async (t) => {
  const world = new World(256 * MiB)
  const publisher = world.open()
  t.notOk(world.publish(publisher, creditSizeFirst + 1))
  t.ok(publisher.creditSize > publisher.publishedSize, 'the next window begins behind what it sent')
  t.ok(world.publish(publisher, 1_000))
  world.turn()
})

t.test('credit - a record larger than the window is granted when it is said', async (t) => {
  const world = new World(256 * MiB)
  const publisher = world.open()
  t.notOk(world.publish(publisher, 16 * MiB))
  t.ok(world.wants(publisher, 16 * MiB))
})

t.test('credit - unused windows take a quarter of the memory at most; beyond it one is granted what it says it needs', async (t) => {
  const world = new World(64 * MiB)
  const idle = Array.from({ length: 1_000 }, () => world.open())
  t.ok(world.unused <= 16 * MiB)
  t.equal(idle.filter(({ creditSize }) => creditSize > 0).length, 256)
  const late = world.open()
  t.equal(late.creditSize, 0)
  t.ok(world.wants(late, 5_000))
  t.equal(late.creditSize, 5_000)
  t.notOk(world.credit.blocked, 'there is memory')
})

t.test('credit - with a disk unused windows take half of what has to be free there at most', async (t) => {
  const world = new World(256 * MiB, 8 * MiB)
  for (let i = 0; i < 1_000; i++) world.open()
  t.equal(world.unused, 4 * MiB)
  const publisher = world.open()
  t.ok(world.wants(publisher, 100_000), 'what is needed is granted all the same')
  t.equal(world.unused, 4 * MiB)
  const small = new World(256 * MiB, 1)
  for (let i = 0; i < 1_000; i++) small.open()
  t.equal(small.unused, MiB, 'some first windows there are always')
  const unwatched = new World(256 * MiB, 0)
  for (let i = 0; i < 2_000; i++) unwatched.open()
  t.equal(unwatched.unused, 64 * MiB)
})

t.test('credit - when memory is used up publishers are blocked, until an eighth of it is free again', async (t) => {
  const world = new World(64 * MiB)
  const publisher = world.open()
  let sent = 0
  while (world.wants(publisher, 10_000)) sent += 10_000
  world.turn()
  t.ok(world.credit.blocked)
  t.ok(sent >= 64 * MiB * (7 / 8 - 1 / 16) - 200_000, 'as far as it goes')
  t.ok(world.used + world.unused <= 64 * MiB * (7 / 8 - 1 / 16))
  world.settle(100_000)
  world.turn()
  t.ok(publisher.creditLeft >= 10_000, 'served as soon as there is something')
  t.ok(world.credit.blocked, 'but still blocked')
  world.settle(8 * MiB)
  world.turn()
  t.notOk(world.credit.blocked)
})

t.test('credit - the reserve is for connections that hold unsettled deliveries', async (t) => {
  const world = new World(64 * MiB)
  const publisher = world.open()
  const worker = world.open()
  while (world.wants(publisher, 10_000));
  while (world.wants(worker, 10_000));
  world.turn()
  t.ok(world.credit.blocked)
  const before = world.used
  const { creditSize } = publisher
  worker.holdsUnsettled = true
  world.turn()
  let passed = 0
  while (world.wants(worker, 10_000)) {
    passed += 10_000
    world.turn()
  }
  t.ok(passed > 3 * MiB, `the worker gets ${passed} bytes through`)
  t.ok(world.used - before <= 4 * MiB + 200_000)
  world.wants(publisher, 1_000_000)
  t.equal(publisher.creditSize, creditSize, 'nobody else gets any of it')
})

t.test('credit - a large record is not starved by many small ones', async (t) => {
  const world = new World(64 * MiB)
  const small = Array.from({ length: 20 }, () => world.open())
  const large = world.open()
  const fill = () => {
    for (const publisher of small) while (world.wants(publisher, 1_000));
  }
  fill()
  world.wants(large, 16 * MiB)
  let turns = 0
  for (; large.creditLeft < 16 * MiB && turns < 1_000; turns++) {
    world.settle(100_000)
    world.turn()
    fill()
  }
  t.ok(large.creditLeft >= 16 * MiB, `after ${turns} turns`)
  t.ok(turns < 400, 'what becomes free is kept for it')
  const [first] = small
  for (let i = 0; i < 20; i++) {
    world.settle(MiB)
    world.turn()
  }
  t.ok(world.wants(first!, 1_000), 'and the others go on behind it')
})

t.test('credit - who waits is served in the order of asking', async (t) => {
  const world = new World(64 * MiB)
  world.used = 64 * MiB
  const waiting = Array.from({ length: 5 }, () => world.open())
  for (const publisher of waiting) world.wants(publisher, 1_000_000)
  world.turn()
  t.ok(world.credit.blocked)
  const served: number[] = []
  for (let i = 0; i < 1_000 && served.length < 5; i++) {
    world.settle(200_000)
    world.turn()
    for (const [n, publisher] of waiting.entries()) if (publisher.creditLeft > 0 && !served.includes(n)) served.push(n)
  }
  t.same(served, [0, 1, 2, 3, 4])
})

t.test('credit - what a channel did not use is free when it ends', async (t) => {
  const world = new World(64 * MiB)
  const publishers = Array.from({ length: 300 }, () => world.open())
  for (const publisher of publishers) world.close(publisher)
  t.equal(world.unused, 0)
  t.equal(world.open().creditSize, creditSizeFirst)
})

/** Anything, in any order; after each step what must always hold. */
function play(random: Random): void {
  const budget = random.pick([16, 64, 256]) * MiB
  const messageSizeMax = budget / 4
  const world = new World(budget)
  const dealt = budget - budget / 8
  const credited = new Map<Publisher, number>()
  for (let step = 0; step < 500; step++) {
    const publishers = [...world.publishers]
    const publisher = publishers.length === 0 ? world.open() : random.pick(publishers)
    switch (random.below(9)) {
      case 0:
        if (publishers.length < 60) world.open()
        break
      case 1:
        if (random.chance(0.2)) world.close(publisher)
        break
      case 2:
        world.settle(random.below(budget / 4))
        break
      case 3:
        publisher.holdsUnsettled = random.chance(0.3)
        break
      case 4:
        world.publish(publisher, random.below(2 * creditSizeFirst))
        break
      case 5:
        world.wants(publisher, random.below(messageSizeMax))
        break
      default:
        for (let count = random.below(300), size = 20 + random.below(20_000); count > 0 && world.wants(publisher, size); count--);
    }
    if (random.chance(0.5)) world.turn()
    world.credit.invariants(world.publishers)
    if (world.used + world.unused > dealt) throw new Error(`${world.used} used and ${world.unused} granted are more than ${dealt}`)
    for (const publisher of world.publishers) {
      if (publisher.creditSize < (credited.get(publisher) ?? 0)) throw new Error('credit went down')
      credited.set(publisher, publisher.creditSize)
    }
    for (const publisher of credited.keys()) if (!world.publishers.has(publisher)) credited.delete(publisher)
  }
  // Everybody uses what it asked for, and everything is settled: whoever wants something gets it, and nobody is blocked.
  for (const publisher of world.publishers) {
    for (let turns = 0; ; turns++) {
      for (const other of world.publishers) {
        world.used = 0
        if (other !== publisher && other.creditLeft > 0) world.publish(other, other.creditLeft)
      }
      world.used = 0
      world.turn()
      if (world.wants(publisher, messageSizeMax)) break
      if (turns > 100) throw new Error(`a publisher waits for ever, with ${world.unused} of ${budget} granted to others`)
    }
  }
  world.used = 0
  for (const publisher of [...world.publishers]) world.close(publisher)
  world.turn()
  if (world.credit.blocked || world.unused !== 0 || world.credit.isAwaited) throw new Error('something is left')
}

t.test('credit - used and granted are never more than there is, and nobody waits for ever', (t) => forSeeds(t, 150, play))
