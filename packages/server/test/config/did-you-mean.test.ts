import t from 'tap'
import { didYouMean } from '../../dist/config/did-you-mean.js'

const options = ['listen', 'tls', 'users', 'vhosts', 'limits', 'log', 'queueCount', 'memorySize', 'port']

t.test('did you mean - a slip or two', async (t) => {
  const slips = {
    lisen: 'listen',
    limit: 'limits',
    queuecount: 'queueCount',
    'queue-count': 'queueCount',
    prot: 'port',
    user: 'users',
    memorySizes: 'memorySize',
    tsl: 'tls',
  }
  for (const [written, meant] of Object.entries(slips)) t.equal(didYouMean(written, options), meant, written)
})

t.test('did you mean - the beginning of a long name', async (t) => {
  t.equal(didYouMean('memory', options), 'memorySize')
})

t.test('did you mean - nothing, if nothing is near', async (t) => {
  for (const written of ['', 'x', 'ab', 'colour', 'a'.repeat(10_000)])
    t.equal(didYouMean(written, options), undefined, written.slice(0, 20))
})
