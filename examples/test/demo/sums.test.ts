import t from 'tap'
import { inWords, type Sum, verdict, wrongIn } from '../../dist/demo/sums.js'

const right: Sum = { part: 'orders', told: { published: 200 }, equal: [{ delivered: 640, expected: 640 }] }

t.test('sums - a sum is told in one line', async (t) => {
  t.equal(inWords(right), '200 published, 640 delivered, 640 expected')
  t.equal(
    inWords({
      part: 'x',
      equal: [
        { a: 1, b: 1 },
        { c: 2, d: 2 },
      ],
    }),
    '1 a, 1 b, 2 c, 2 d',
  )
})

t.test('sums - all right: the last line says so, and the exit code is 0', async (t) => {
  t.same(verdict([right, { part: 'rpc', equal: [{ asked: 120, answered: 120 }] }]), { lines: ['all sums agree'], exitCode: 0 })
})

t.test('sums - one figure that differs by one is named, and the exit code is 1', async (t) => {
  const wrong: Sum = {
    part: 'email',
    equal: [
      { accepted: 300, delivered: 300 },
      { accepted: 300, 'written right': 299 },
    ],
  }
  t.same(verdict([right, wrong]), { lines: ['wrong sum in email: 300 accepted, 299 written right'], exitCode: 1 })
})

t.test('sums - each figure of a group counts, not only its neighbours', async (t) => {
  for (const equal of [
    { a: 1, b: 2, c: 2 },
    { a: 2, b: 1, c: 2 },
    { a: 2, b: 2, c: 1 },
  ])
    t.equal(wrongIn({ part: 'x', equal: [equal] }).length, 1)
})

t.test('sums - a part in which nothing happened, or nothing was compared, is wrong', async (t) => {
  for (const equal of [[], [{}], [{ a: 1 }], [{ a: 0, b: 0 }], [{ a: Number.NaN, b: Number.NaN }]]) {
    t.equal(verdict([{ part: 'x', equal }]).exitCode, 1, JSON.stringify(equal))
  }
  t.equal(verdict([]).exitCode, 1)
})

t.test('sums - a part that broke off is named, though all other sums agree', async (t) => {
  t.same(verdict([right], ['images: the disk is full']), { lines: ['wrong sum in images: the disk is full'], exitCode: 1 })
})
