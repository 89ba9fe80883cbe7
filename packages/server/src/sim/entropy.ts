import type { Entropy } from '../ports/entropy.js'
import type { Random } from './random.js'

const letters = 'abcdefghijklmnopqrstuvwxyz0123456789'

/** The broker's randomness, from a seed. */
export function seededEntropy(random: Random): Entropy {
  return {
    random: () => random.next(),
    name(size) {
      let name = ''
      for (let i = 0; i < size; i++) name += letters[random.below(letters.length)]
      return name
    },
  }
}
