import t from 'tap'
import { authorize, type Resource, type Verb } from '../../dist/auth/authorize.js'
import { parsePasswordHash } from '../../dist/auth/passwords.js'
import { everyone, type User, type UserOptions, Users } from '../../dist/auth/users.js'

const passwordHash = `scrypt$2$8$1$${Buffer.alloc(16).toString('base64')}$${Buffer.alloc(32).toString('base64')}`

function user(options: Partial<UserOptions> = {}): User {
  return new Users([{ name: 'ann', passwordHash, ...options }]).find('ann')!.user
}

function may(who: User, verb: Verb, resource: Resource): boolean {
  return authorize(who, verb, resource).allowed
}

t.test('authorize - what is not allowed is denied, for every verb and resource', async (t) => {
  const nobody = user({ vhosts: [] })
  for (const verb of ['configure', 'write', 'read', 'connect', 'monitor'] as const) {
    for (const kind of ['queue', 'exchange', 'vhost', 'broker'] as const) {
      for (const name of ['', 'orders', '*', '__proto__', 'constructor', 'default']) {
        t.equal(may(nobody, verb, { kind, name } as Resource), false, `${verb} ${kind} '${name}'`)
      }
    }
  }
})

t.test('authorize - each right opens its own verb alone', async (t) => {
  const rights: [Partial<UserOptions>, Verb, Resource][] = [
    [{ permissions: { configure: ['orders'] } }, 'configure', { kind: 'queue', name: 'orders' }],
    [{ permissions: { write: ['orders'] } }, 'write', { kind: 'queue', name: 'orders' }],
    [{ permissions: { read: ['orders'] } }, 'read', { kind: 'queue', name: 'orders' }],
    [{ permissions: { configure: ['orders'] } }, 'configure', { kind: 'exchange', name: 'orders' }],
    [{ permissions: { write: ['orders'] } }, 'write', { kind: 'exchange', name: 'orders' }],
    [{ permissions: { read: ['orders'] } }, 'read', { kind: 'exchange', name: 'orders' }],
    [{ vhosts: ['shop'] }, 'connect', { kind: 'vhost', name: 'shop' }],
    [{ monitor: true }, 'monitor', { kind: 'broker' }],
  ]
  for (const [options, verb, resource] of rights) {
    const who = user({ vhosts: [], ...options })
    for (const [, otherVerb, otherResource] of rights) {
      const isRight =
        verb === otherVerb && (resource.kind === otherResource.kind || (resource.kind !== 'vhost' && resource.kind !== 'broker'))
      t.equal(may(who, otherVerb, otherResource), isRight, `${verb} on ${resource.kind} for ${otherVerb} on ${otherResource.kind}`)
    }
  }
})

t.test('authorize - names are covered by patterns', async (t) => {
  const ann = user({ permissions: { write: ['orders.*'], read: ['*.dead', 'audit'] } })
  t.ok(may(ann, 'write', { kind: 'exchange', name: 'orders.eu' }))
  t.notOk(may(ann, 'write', { kind: 'exchange', name: 'orders' }))
  t.notOk(may(ann, 'write', { kind: 'exchange', name: '' }), 'the default exchange is not open to all')
  t.ok(may(ann, 'read', { kind: 'queue', name: 'orders.dead' }))
  t.notOk(may(ann, 'read', { kind: 'queue', name: 'orders.eu' }))
  t.ok(may(ann, 'connect', { kind: 'vhost', name: 'default' }), 'the default virtual host is open if none is named')
  t.notOk(may(ann, 'connect', { kind: 'vhost', name: 'other' }))
})

t.test('authorize - a refusal says who, what, and what would allow it', async (t) => {
  const words = (verb: Verb, resource: Resource) => (authorize(user(), verb, resource) as { message: string }).message
  t.equal(
    words('write', { kind: 'exchange', name: 'orders' }),
    "user 'ann' may not write to exchange 'orders'; no pattern in its permissions.write covers that name",
  )
  t.equal(
    words('configure', { kind: 'queue', name: 'q' }),
    "user 'ann' may not configure queue 'q'; no pattern in its permissions.configure covers that name",
  )
  t.equal(words('connect', { kind: 'vhost', name: 'x' }), "user 'ann' may not connect to virtual host 'x'; none of its vhosts is that")
  t.equal(words('monitor', { kind: 'broker' }), "user 'ann' may not see what others do; its monitor would have to be true")
})

t.test('authorize - everyone may do everything', async (t) => {
  for (const verb of ['configure', 'write', 'read'] as const) t.ok(may(everyone, verb, { kind: 'queue', name: 'any' }))
  t.ok(may(everyone, 'connect', { kind: 'vhost', name: 'any' }))
  t.ok(may(everyone, 'monitor', { kind: 'broker' }))
})

t.test('users - reserved names are names like others, and two of one name are refused', async (t) => {
  const users = new Users(['__proto__', 'constructor', 'ann'].map((name) => ({ name, passwordHash })))
  t.equal(users.find('__proto__')?.user.name, '__proto__')
  t.equal(users.find('toString'), undefined)
  t.equal(users.count, 3)
  t.throws(
    () =>
      new Users([
        { name: 'a', passwordHash },
        { name: 'a', passwordHash },
      ]),
    /two users 'a'/,
  )
  t.throws(() => new Users([{ name: 'a', passwordHash: 'secret' }]), /'a' cannot be used: it is not of the form/)
})

t.test('users - the decoy is as dear as a real hash', async (t) => {
  const { decoy } = new Users([{ name: 'a', passwordHash }])
  const real = parsePasswordHash(passwordHash)
  t.not(typeof real, 'string')
  if (typeof real === 'string') return
  t.equal(decoy.cost, real.cost)
  t.equal(decoy.salt.length, real.salt.length)
  t.equal(decoy.hash.length, real.hash.length)
})
