import t from 'tap'
import { type FilterChoice, filter, unfilter } from '../../../dist/images/png/filters.js'
import { filteredSize, type Header, pixelSize, samplesSize } from '../../../dist/images/png/scanlines.js'

const choices: readonly FilterChoice[] = [0, 1, 2, 3, 4, 'best of each row']

function header(options: Partial<Header>): Header {
  return { width: 3, height: 2, bitDepth: 8, channels: 1, interlaced: false, ...options }
}

function samplesOf(header: Header): Buffer {
  return Buffer.from(Array.from({ length: samplesSize(header) }, (_, i) => (i * i * 7 + 13 * i) & 0xff))
}

t.test('filters - two rows by hand', async (t) => {
  const samples = Buffer.from([10, 12, 250, 14, 11, 3])
  const by = (choice: FilterChoice) => filter(samples, header({}), choice).toJSON().data
  t.same(by(0), [0, 10, 12, 250, 0, 14, 11, 3])
  t.same(by(1), [1, 10, 2, 238, 1, 14, 253, 248])
  t.same(by(2), [2, 10, 12, 250, 2, 4, 255, 9])
  t.same(by(3), [3, 10, 7, 244, 3, 9, 254, 129])
  t.same(by(4), [4, 10, 2, 238, 4, 4, 253, 9])
})

t.test('filters - whatever is filtered comes back, for every kind of picture', async (t) => {
  for (const interlaced of [false, true]) {
    for (const [channels, bitDepth] of [
      [1, 1],
      [1, 2],
      [1, 4],
      [1, 8],
      [1, 16],
      [2, 8],
      [2, 16],
      [3, 8],
      [3, 16],
      [4, 8],
      [4, 16],
    ] as const) {
      for (const [width, height] of [
        [1, 1],
        [1, 9],
        [9, 1],
        [5, 3],
        [17, 11],
      ] as const) {
        const kind = header({ width, height, channels, bitDepth, interlaced })
        const samples = samplesOf(kind)
        const lost = choices.filter((choice) => !unfilter(filter(samples, kind, choice), kind).equals(samples))
        t.same(lost, [], `${width} x ${height}, ${channels} x ${bitDepth} bits${interlaced ? ', interlaced' : ''}`)
      }
    }
  }
})

t.test('filters - a filter that does not exist is refused', async (t) => {
  t.throws(() => unfilter(Buffer.from([5, 0, 0, 0, 0, 0, 0, 0]), header({})), /no such filter: 5/)
})

t.test('scanlines - rows end at whole bytes, and each has a byte for its filter', async (t) => {
  t.equal(samplesSize(header({ width: 9, height: 4, bitDepth: 1 })), 8)
  t.equal(filteredSize(header({ width: 9, height: 4, bitDepth: 1 })), 12)
  t.equal(pixelSize(header({ bitDepth: 1 })), 1)
  t.equal(pixelSize(header({ bitDepth: 16, channels: 4 })), 8)
  t.equal(samplesSize(header({ width: 1, height: 1, interlaced: true })), 1, 'six of the seven passes are empty')
})
