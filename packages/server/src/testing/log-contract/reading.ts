/** Replaying and reading: from any position, blocks of any size, through all segments, as they were written. */
import type { LogReading } from '../../ports/log.js'
import { KiB, MiB, pattern } from './content.js'
import type { HomeTest } from './home.js'
import { openLog } from './owner.js'

export function readingContract(test: HomeTest): void {
  test('only what is behind a position is replayed', async (t, home) => {
    const first = await openLog(home)
    const appended = ['a', 'b', 'c', 'd'].map((text) => first.append(text))
    await first.close()
    const second = await openLog(home)
    t.strictSame(
      (await second.replay(appended[1])).found.map(({ text }) => text),
      ['c', 'd'],
    )
    t.strictSame((await second.replay(appended[3])).found, [])
    await second.close()
  })

  test('an append of 16 MiB is one, to replay and to read, among small ones', async (t, home) => {
    const first = await openLog(home)
    const content = pattern(16 * MiB, 3)
    first.append('before')
    const position = first.log.append([content.subarray(0, 100), content.subarray(100, 5 * MiB), content.subarray(5 * MiB)], 'sync')
    first.append('behind')
    const { block, reading } = await first.readOne(position)
    t.ok(Buffer.from(block.bytes).equals(content))
    t.ok(reading.next !== undefined, 'the reading goes on behind it')
    await first.close()
    const second = await openLog(home)
    const { found } = await second.replay()
    t.strictSame(
      found.map(({ content }) => content.length),
      [6, 16 * MiB, 6],
    )
    t.ok(found[1].content.equals(content))
    await second.close()
  })

  test('sizes around the limits of a block come back as they were', async (t, home) => {
    const first = await openLog(home)
    const sizes = [0, 1, 7, 8, 9, 4_095, 4_096, MiB - 49, MiB - 48, MiB - 47, MiB, MiB + 1, 2 * MiB - 96, 2 * MiB - 95]
    for (const size of sizes) first.log.append([pattern(size, size)], 'lazy')
    const { blocks } = await first.readAll()
    t.strictSame(
      blocks.map(({ bytes }) => bytes.length),
      sizes,
    )
    await first.close()
    const second = await openLog(home)
    const { found } = await second.replay()
    t.ok(found.every(({ content }, i) => content.equals(pattern(sizes[i], sizes[i]))))
    await second.close()
  })

  test('reading goes on where it ended, through all segments', async (t, home) => {
    const owner = await openLog(home)
    const appended = Array.from({ length: 300 }, (_, i) => owner.log.append([pattern(11 * KiB + i, i)], 'lazy'))
    t.ok(owner.log.segments().length > 1, 'there are several segments')
    const { blocks, damage } = await owner.readAll(appended[50])
    t.strictSame(
      blocks.map(({ position }) => position),
      appended.slice(50),
    )
    t.ok(blocks.every(({ bytes }, i) => Buffer.from(bytes).equals(pattern(11 * KiB + 50 + i, 50 + i))))
    t.strictSame(damage, [])
    const kept = Buffer.from(blocks[0].bytes)
    owner.append('more')
    await owner.readAll()
    t.ok(kept.equals(Buffer.from(blocks[0].bytes)), 'what has been read stays as it is')
    await owner.close()
  })

  test('a reading is told later, also when there is nothing', async (t, home) => {
    const owner = await openLog(home)
    let isTold = false
    const told = new Promise<LogReading>((resolve) =>
      owner.log.read(0, KiB, (reading) => {
        isTold = true
        resolve(reading)
      }),
    )
    t.equal(isTold, false)
    t.strictSame(await told, { blocks: [], next: undefined, damage: [] })
    await owner.close()
  })
}
