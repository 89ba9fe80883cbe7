import t from 'tap'
import { deliveriesOf, topicsOf } from '../dist/topics.js'

const topics = topicsOf(1_000, 100, 2_000)

/** The patterns as regular expressions. */
function matches(pattern: string, key: string): boolean {
  const source = pattern
    .replaceAll('.', '\\.')
    .replaceAll('*', '[^.]+')
    .replace(/\\\.#$/, '(\\..+)?')
  return new RegExp(`^${source}$`).test(key)
}

t.test('topics - deliveries by binding and by queue are those of a naive matcher', async (t) => {
  const [byBinding, byQueue] = [deliveriesOf(topics, 'binding'), deliveriesOf(topics, 'queue')]
  const patterns = topics.bindings.map(({ pattern, queue }) => ({ matches: (key: string) => matches(pattern, key), queue }))
  for (let index = 0; index < 100; index++) {
    const found = patterns.filter((pattern) => pattern.matches(topics.keys[index] as string))
    t.equal(byBinding[index], found.length, topics.keys[index])
    t.equal(byQueue[index], new Set(found.map((pattern) => pattern.queue)).size, topics.keys[index])
  }
})

t.test('topics - a message causes about three deliveries', async (t) => {
  const counts = deliveriesOf(topics, 'queue')
  const mean = counts.reduce((sum, count) => sum + count, 0) / counts.length
  t.ok(mean > 2.5 && mean < 3.5, `${mean}`)
})

t.test('topics - the same seed gives the same patterns and keys, no key twice, no binding twice', async (t) => {
  t.same(topicsOf(1_000, 100, 2_000), topics)
  t.equal(new Set(topics.keys).size, 2_000)
  t.equal(new Set(topics.bindings.map(({ queue, pattern }) => `${queue} ${pattern}`)).size, 1_000)
  t.equal(new Set(topics.bindings.map(({ queue }) => queue)).size, 100)
})
