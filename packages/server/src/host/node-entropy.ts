import { randomBytes } from 'node:crypto'
import type { Entropy } from '../ports/entropy.js'

const letters = 'abcdefghijklmnopqrstuvwxyz0123456789'

export const nodeEntropy: Entropy = {
  random: () => Math.random(),
  name(size) {
    let name = ''
    // 252 is the largest multiple of 36 in a byte: above it the first letters would come more often.
    while (name.length < size) for (const byte of randomBytes(size)) if (byte < 252 && name.length < size) name += letters[byte % 36]
    return name
  },
}
