import { format, inspect } from 'node:util'
import t from 'tap'
import { Secret } from '../../dist/auth/secret.js'

t.test('secret - shows itself to nobody but who reveals it', async (t) => {
  const secret = new Secret('hunter2')
  const shown = [
    `${secret}`,
    String(secret),
    JSON.stringify({ secret }),
    inspect({ secret }),
    format('%s %o %j', secret, secret, secret),
    `a${secret as unknown as string}`,
  ]
  for (const text of shown) {
    t.notMatch(text, /hunter2/)
    t.match(text, /\*\*\*/)
  }
  t.same(Object.keys(secret), [])
  t.equal(secret.reveal(), 'hunter2')
})
