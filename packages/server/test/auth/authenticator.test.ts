import t from 'tap'
import { type Login, UserAuthenticator, type UserAccess } from '../../dist/auth/authenticator.js'
import { hashPassword, PasswordChecker } from '../../dist/auth/passwords.js'

async function authenticator(options: { now?: () => number; checker?: PasswordChecker } = {}) {
  const passwordHash = await hashPassword('right', { cost: 2 })
  const users = [{ name: 'ann', passwordHash, vhosts: ['shop'], permissions: { write: ['orders'] } }]
  const made = new UserAuthenticator(users, { now: () => 0, ...options })
  return (login: Partial<Login>) =>
    new Promise<UserAccess | string>((resolve) => {
      made.check({ user: 'ann', password: 'right', virtualHost: 'shop', remote: '10.0.0.1:4711', ...login }, resolve)
    })
}

t.test('authenticator - the right password gives what its user may do', async (t) => {
  const check = await authenticator()
  const access = await check({})
  if (typeof access === 'string') return t.fail(access)
  t.equal(access.user, 'ann')
  t.equal(access.refusal('write', 'exchange', 'orders'), undefined)
  t.match(access.refusal('read', 'queue', 'orders'), /may not read from queue 'orders'/)
  t.match(access.monitorRefusal(), /may not see/)
})

t.test('authenticator - a wrong password and an unknown user have the same words', async (t) => {
  const check = await authenticator()
  t.equal(await check({ password: 'wrong' }), 'user or password is wrong')
  t.equal(await check({ user: 'bob' }), 'user or password is wrong')
  t.equal(await check({ user: '__proto__' }), 'user or password is wrong')
  t.match(await check({ user: undefined }), /give a user and a password/)
  t.match(await check({ password: undefined }), /give a user and a password/)
})

t.test('authenticator - the virtual host is looked at only after the password', async (t) => {
  const check = await authenticator()
  t.match(await check({ virtualHost: 'other' }), /may not connect to virtual host 'other'/)
  t.equal(await check({ virtualHost: 'other', password: 'wrong' }), 'user or password is wrong')
})

t.test('authenticator - guessing is refused without hashing until time has passed, from whatever port', async (t) => {
  let now = 0
  let hashedCount = 0
  const checker = new PasswordChecker({
    derive: async (_, like) => {
      hashedCount++
      return new Uint8Array(like.hash.length)
    },
  })
  const check = await authenticator({ now: () => now, checker })
  for (let i = 0; i < 6; i++)
    t.equal(
      await check({ remote: `10.0.0.1:${i}` }),
      i < 5 ? 'user or password is wrong' : 'too many failures for this user from this address; try again in 0.1 s',
    )
  t.equal(hashedCount, 5)
  t.equal(await check({ remote: '10.0.0.2:1' }), 'user or password is wrong', 'another address is not held back')
  now = 100
  t.equal(await check({}), 'user or password is wrong')
  t.equal(hashedCount, 7)
})

t.test('authenticator - a failure to hash is a refusal, not a crash', async (t) => {
  const check = await authenticator({ checker: new PasswordChecker({ derive: () => Promise.reject(new Error('no memory')) }) })
  t.match(await check({}), /cannot be checked.*no memory/)
})
