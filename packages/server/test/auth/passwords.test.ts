import t from 'tap'
import { decoyLike, type Derive, hashPassword, PasswordChecker, type PasswordHash, parsePasswordHash } from '../../dist/auth/passwords.js'
import { Secret } from '../../dist/auth/secret.js'

function parsed(text: string): PasswordHash {
  const hash = parsePasswordHash(text)
  if (typeof hash === 'string') throw new Error(hash)
  return hash
}

/** Hashing that ends when the test says so. */
class Held {
  readonly hashed: string[] = []
  #ends: (() => void)[] = []

  derive: Derive = (password, like) => {
    this.hashed.push(password)
    return new Promise((resolve) => this.#ends.push(() => resolve(new Uint8Array(like.hash.length))))
  }

  async endOne(): Promise<void> {
    this.#ends.shift()!()
    await new Promise((resolve) => setImmediate(resolve))
  }
}

t.test('passwords - a hash matches its password and no other, and is never the same twice', async (t) => {
  const text = await hashPassword('Grüße', { cost: 1_024 })
  t.match(text, /^scrypt\$1024\$8\$1\$[A-Za-z0-9+/=]+\$[A-Za-z0-9+/=]+$/)
  t.not(await hashPassword('Grüße', { cost: 1_024 }), text)
  const checker = new PasswordChecker()
  const hash = parsed(text)
  t.equal(await checker.check(new Secret('Grüße'), hash, decoyLike(hash)), 'match')
  t.equal(await checker.check(new Secret('Gru\u0308ße'), hash, decoyLike(hash)), 'match', 'typed in another normal form')
  t.equal(await checker.check(new Secret('grüße'), hash, decoyLike(hash)), 'mismatch')
  t.equal(await checker.check(new Secret(''), hash, decoyLike(hash)), 'mismatch')
})

t.test('passwords - the hash is what scrypt of RFC 7914 gives', async (t) => {
  const expected =
    '7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887'
  const salt = Buffer.from('SodiumChloride').toString('base64')
  const hash = parsed(`scrypt$16384$8$1$${salt}$${Buffer.from(expected, 'hex').toString('base64')}`)
  t.equal(await new PasswordChecker().check(new Secret('pleaseletmein'), hash, decoyLike(hash)), 'match')
})

t.test('passwords - without a stored hash as much is hashed as with one, and nothing matches', async (t) => {
  const seen: PasswordHash[] = []
  const derive: Derive = async (_, like) => {
    seen.push(like)
    return like.hash
  }
  const checker = new PasswordChecker({ derive })
  const stored = decoyLike(undefined, 2_048)
  const decoy = decoyLike(stored)
  t.equal(await checker.check(new Secret('x'), undefined, decoy), 'mismatch', 'even if the decoy were hit')
  t.equal(await checker.check(new Secret('x'), stored, decoy), 'match')
  const [fake, real] = seen
  t.equal(fake, decoy)
  for (const part of ['cost', 'blockSize', 'parallelization'] as const) t.equal(fake![part], real![part])
  t.equal(fake!.hash.length, real!.hash.length)
})

t.test('passwords - two are hashed at a time, some wait, and beyond that it is busy', async (t) => {
  const held = new Held()
  const checker = new PasswordChecker({ derive: held.derive, waitingMax: 3 })
  const decoy = decoyLike(undefined, 2)
  const outcomes = ['a', 'b', 'c', 'd', 'e', 'f'].map((password) => checker.check(new Secret(password), decoy, decoy))
  t.equal(await outcomes[5], 'busy')
  t.same(held.hashed, ['a', 'b'])
  t.equal(checker.runningCount, 2)
  t.equal(checker.waitingCount, 3)
  await held.endOne()
  t.same(held.hashed, ['a', 'b', 'c'])
  for (let i = 0; i < 4; i++) await held.endOne()
  t.same(await Promise.all(outcomes), ['mismatch', 'mismatch', 'mismatch', 'mismatch', 'mismatch', 'busy'])
  t.equal(checker.runningCount, 0)
})

t.test('passwords - what nobody waits for any more is not hashed', async (t) => {
  const held = new Held()
  const checker = new PasswordChecker({ derive: held.derive, atOnceMax: 1 })
  const decoy = decoyLike(undefined, 2)
  let wanted = true
  const first = checker.check(new Secret('first'), undefined, decoy)
  const second = checker.check(new Secret('second'), undefined, decoy, () => wanted)
  wanted = false
  await held.endOne()
  t.equal(await second, 'busy')
  t.equal(await first, 'mismatch')
  t.same(held.hashed, ['first'])
  t.equal(checker.runningCount, 0)
})

t.test('passwords - hashing that fails frees its place', async (t) => {
  const checker = new PasswordChecker({ derive: () => Promise.reject(new Error('no memory')), atOnceMax: 1 })
  const decoy = decoyLike(undefined, 2)
  for (let i = 0; i < 3; i++) await t.rejects(checker.check(new Secret('x'), undefined, decoy), /no memory/)
  t.equal(checker.runningCount, 0)
})

t.test('passwords - a stored hash that is none, or too dear, is named', async (t) => {
  const salt = Buffer.alloc(16).toString('base64')
  const hash = Buffer.alloc(32).toString('base64')
  const faults: [string, RegExp][] = [
    ['', /form scrypt/],
    ['hunter2', /form scrypt/],
    [`bcrypt$1024$8$1$${salt}$${hash}`, /form scrypt/],
    [`scrypt$1000$8$1$${salt}$${hash}`, /power of two/],
    [`scrypt$0$8$1$${salt}$${hash}`, /power of two/],
    [`scrypt$9999999999$8$1$${salt}$${hash}`, /power of two|memory/],
    [`scrypt$1024$0$1$${salt}$${hash}`, /r or p/],
    [`scrypt$1024$8$17$${salt}$${hash}`, /r or p/],
    [`scrypt$1048576$8$1$${salt}$${hash}`, /256 MiB/],
    [`scrypt$1024$8$1$AAAA$${hash}`, /salt or hash/],
    [`scrypt$1024$8$1$${salt}$AAAA`, /salt or hash/],
  ]
  for (const [text, fault] of faults) t.match(parsePasswordHash(text), fault, text)
  t.type(parsePasswordHash(`scrypt$32768$8$1$${salt}$${hash}`), 'object')
})
