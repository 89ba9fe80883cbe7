/** From the names in a record to a route: the cache by bytes, and the trie behind it. */
import { TopicTrie } from '../../../packages/server/dist/broker/exchanges/topic-trie.js'
import { RouteCache } from '../../../packages/server/dist/broker/routing/route-cache.js'
import { topicsOf } from '../topics.js'
import { recordsOf } from './records.js'
import type { Room } from './room.js'

const cacheRooms: readonly Room[] = [1, 100, 10_000, 60_000].map((keyCount) => ({
  name: `route-cache-${keyCount}`,
  operation: `the route of a record, one of ${keyCount} keys, all known`,
  prepare() {
    const { bytes, starts } = recordsOf(topicsOf(1, 1, keyCount).keys, 16)
    const cache = new RouteCache<number>()
    for (const [index, at] of starts.entries()) cache.set(bytes, at, index + 1)
    const rounds = Math.ceil(10_000 / keyCount)
    return () => {
      let found = 0
      for (let round = 0; round < rounds; round++) {
        for (let index = 0; index < starts.length; index++) if (cache.get(bytes, starts[index] as number) !== undefined) found++
      }
      // A route may lose its slot to another; all but a few must be there.
      if (found < rounds * keyCount * 0.99) throw new Error(`${rounds * keyCount} routes looked up, ${found} found`)
      return rounds * keyCount
    }
  },
}))

const trieRooms: readonly Room[] = [1_000, 10_000].map((bindingCount) => ({
  name: `topic-trie-${bindingCount}`,
  operation: `the targets of a key among ${bindingCount} wildcard patterns, ${(3.2 * bindingCount) / 1_000} of them matching`,
  prepare() {
    const { bindings, keys } = topicsOf(bindingCount, Math.max(100, bindingCount / 10), 10_000)
    const trie = new TopicTrie<number>()
    for (const { pattern, queue } of bindings) trie.add(pattern, queue)
    const targets = new Set<number>()
    return () => {
      let matched = 0
      for (const key of keys) {
        targets.clear()
        trie.match(key, targets)
        matched += targets.size
      }
      if (matched === 0) throw new Error('no key matches a pattern')
      return keys.length
    }
  },
}))

export const routingRooms: readonly Room[] = [...cacheRooms, ...trieRooms]
