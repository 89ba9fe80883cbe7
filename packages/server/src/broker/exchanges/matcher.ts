import type { Matcher } from './binding.js'
import { DirectMatcher } from './direct.js'
import { FanoutMatcher } from './fanout.js'
import { HeadersMatcher } from './headers-match.js'
import { TopicMatcher } from './topic.js'

export type { Binding, Matcher } from './binding.js'

/** The bindings of an exchange, by its type. */
export function makeMatcher<T>(type: 'direct' | 'fanout' | 'topic' | 'headers'): Matcher<T> {
  switch (type) {
    case 'direct':
      return new DirectMatcher<T>()
    case 'fanout':
      return new FanoutMatcher<T>()
    case 'topic':
      return new TopicMatcher<T>()
    case 'headers':
      return new HeadersMatcher<T>()
  }
}
