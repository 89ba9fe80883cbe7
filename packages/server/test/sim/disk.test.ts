/** The simulated disk: what is synced survives everything, what is not may come to anything, and nothing happens for a process that has ended. */
import t from 'tap'
import { DiskError } from '../../dist/ports/disk.js'
import { type CutWeights, Random, SimDisk, Tally, Timeline } from '../../dist/sim/index.js'

const allNew: CutWeights = { old: 0, new: 1, damaged: 0 }
const allOld: CutWeights = { old: 1, new: 0, damaged: 0 }
const allDamaged: CutWeights = { old: 0, new: 0, damaged: 1 }

class World {
  readonly timeline = new Timeline()
  readonly tally = new Tally()
  disk: SimDisk

  constructor(seed = 1, capacity = 1 << 20) {
    const later = (ms: number, run: () => void): void => void this.timeline.in(ms, run)
    this.disk = new SimDisk({ random: new Random(seed), later, tally: this.tally, capacity })
  }

  /** Everything that is under way ends. */
  rest(): void {
    while (this.timeline.step());
  }

  put(name: string, text: string, at = 0): void {
    this.disk.open(name).write([Buffer.from(text)], at)
  }

  sync(name: string): void {
    this.disk.open(name).sync(() => undefined)
    this.disk.syncNames(() => undefined)
    this.rest()
  }

  text(name: string): string {
    return this.disk.bytes(name).toString('latin1')
  }
}

t.test('disk - what is written is seen at once, and read later as it is then', async (t) => {
  const world = new World()
  const file = world.disk.open('a')
  file.write([Buffer.from('one'), Buffer.from('two')], 2)
  const into = Buffer.alloc(20)
  t.equal(file.read(into, 0), 8)
  t.equal(into.toString('latin1', 0, 8), '\0\0onetwo')
  let count = -1
  file.readLater(into, 5, (_error, size) => {
    count = size
  })
  t.equal(count, -1, 'not within the call')
  world.rest()
  t.equal(count, 3)
  t.same(world.disk.list(), ['a'])
})

t.test('disk - what was synced survives a power cut, names too', async (t) => {
  for (let seed = 1; seed <= 20; seed++) {
    const world = new World(seed)
    world.put('a', 'x'.repeat(2_000))
    world.sync('a')
    world.put('a', 'y'.repeat(3_000), 1_700)
    world.put('b', 'never synced')
    world.disk = world.disk.cut(allDamaged)
    t.equal(world.text('a').slice(0, 1_700), 'x'.repeat(1_700), 'also those that share a sector with newer ones')
  }
})

t.test('disk - what was not synced may be there, may be as before, and its file may not be there at all', async (t) => {
  const seen = new Set<string>()
  for (let seed = 1; seed <= 40; seed++) {
    const world = new World(seed)
    world.put('a', 'old')
    world.sync('a')
    world.put('a', 'new')
    world.put('b', 'b')
    world.disk = world.disk.cut(seed % 2 === 0 ? allNew : allOld)
    seen.add(`${world.text('a')} ${world.disk.list().join('')}`)
  }
  t.same([...seen].sort(), ['new a', 'new ab', 'old a', 'old ab'])
})

t.test('disk - a process that is killed loses nothing that it wrote, and hears of nothing more', async (t) => {
  const world = new World()
  world.put('a', 'written')
  let told = 0
  world.disk.open('a').sync(() => told++)
  const before = world.disk
  world.disk = world.disk.kill()
  world.rest()
  t.equal(told, 0)
  t.equal(world.text('a'), 'written')
  t.throws(() => before.list(), DiskError)
  world.sync('a')
  world.disk = world.disk.cut(allOld)
  t.equal(world.text('a'), 'written', 'the next process can sync it')
})

t.test('disk - a sync takes what was written before it, not what is written while it is under way', async (t) => {
  const world = new World()
  world.put('a', 'first')
  world.disk.open('a').sync(() => undefined)
  world.disk.syncNames(() => undefined)
  world.put('a', 'again')
  world.rest()
  world.disk = world.disk.cut(allOld)
  t.equal(world.text('a'), 'first')
})

t.test('disk - a sync that fails loses what it was for: another one does not bring it back', async (t) => {
  const world = new World()
  world.put('a', 'first')
  world.sync('a')
  world.put('a', 'lost!')
  world.disk.failSyncs(1)
  const file = world.disk.open('a')
  const told: unknown[] = []
  file.sync((error) => told.push(error))
  world.rest()
  t.match(told, [{ kind: 'broken' }])
  t.equal(world.text('a'), 'lost!', 'as long as the process lives it is seen')
  file.sync((error) => told.push(error))
  world.rest()
  t.equal(told[1], undefined)
  const cut = world.disk.cut(allOld)
  t.equal(cut.bytes('a').toString(), 'first')
})

t.test('disk - writes fail having written a part, and when the disk is full', async (t) => {
  const world = new World(3, 1_000)
  const file = world.disk.open('a')
  world.disk.failWrites('broken', 1)
  t.throws(() => file.write([Buffer.alloc(100, 1)], 0), { name: 'DiskError', kind: 'broken' })
  t.ok(file.size < 100)
  file.write([Buffer.alloc(100, 1)], 0)
  t.throws(() => file.write([Buffer.alloc(600, 2), Buffer.alloc(600, 2)], 100), { name: 'DiskError', kind: 'full' })
  t.equal(file.size, 1_000)
  t.same(world.disk.space(), { free: 0, total: 1_000 })
  file.write([Buffer.alloc(1_000, 3)], 0)
  world.disk.remove('a')
  t.equal(world.disk.space().free, 1_000)
})

t.test('disk - a bit turns where the disk has it', async (t) => {
  const world = new World()
  world.put('a', 'a')
  t.equal(world.disk.rot(new Random(1)), undefined)
  world.sync('a')
  t.same(world.disk.rot(new Random(1)), { name: 'a', offset: 0 })
  t.not(world.text('a'), 'a')
})

t.test('disk - names change in order when they are synced, and may come to anything when they are not', async (t) => {
  const seen = new Set<string>()
  for (let seed = 1; seed <= 60; seed++) {
    const world = new World(seed)
    world.put('a', '1')
    world.sync('a')
    world.put('new', '2')
    world.disk.open('new').sync(() => undefined)
    world.rest()
    world.disk.rename('new', 'a')
    world.disk = world.disk.cut(allNew)
    seen.add(
      world.disk
        .list()
        .map((name) => `${name}${world.text(name)}`)
        .join(' '),
    )
  }
  t.same([...seen].sort(), ['a1', 'a1 new2', 'a2'])
})
