/**
 * Who is at the other end: checks user and password, slows guessing down, and gives what that user may do. Every refusal of
 * credentials has the same words, whether the user exists or not.
 */
import { authorize, type Decision } from './authorize.js'
import { PasswordChecker } from './passwords.js'
import { Secret } from './secret.js'
import { LoginThrottle } from './throttle.js'
import { type User, Users, type UserOptions } from './users.js'

export interface Login {
  readonly user: string | undefined
  readonly password: string | undefined
  readonly virtualHost: string
  /** Address of the other end; a port behind the last colon is not looked at. */
  readonly remote: string
  /** Whether anybody still waits for the answer. */
  readonly isWanted?: () => boolean
}

/** What a user may do in the virtual host that it is connected to, as reasons why not; undefined: it may. */
export class UserAccess {
  readonly user: string | undefined
  readonly #user: User

  constructor(user: User) {
    this.user = user.name
    this.#user = user
  }

  refusal(verb: 'configure' | 'write' | 'read', kind: 'queue' | 'exchange', name: string): string | undefined {
    return reason(authorize(this.#user, verb, { kind, name }))
  }

  monitorRefusal(): string | undefined {
    return reason(authorize(this.#user, 'monitor', { kind: 'broker' }))
  }
}

export class UserAuthenticator {
  readonly #users: Users
  readonly #checker: PasswordChecker
  readonly #throttle = new LoginThrottle()
  readonly #now: () => number

  /** `now`: monotonic milliseconds. */
  constructor(users: readonly UserOptions[], options: { readonly now: () => number; readonly checker?: PasswordChecker }) {
    this.#users = new Users(users)
    this.#checker = options.checker ?? new PasswordChecker()
    this.#now = options.now
  }

  /** The access of a user, or the words of the refusal; always later, never before it returns. */
  check(login: Login, done: (outcome: UserAccess | string) => void): void {
    this.#decide(login).then(done, (error: unknown) => done(`the password cannot be checked: ${String(error)}`))
  }

  async #decide(login: Login): Promise<UserAccess | string> {
    const { user: name, password, virtualHost } = login
    if (name === undefined || password === undefined) return 'this broker has users; give a user and a password'
    const address = login.remote.replace(/:\d+$/, '')
    const waitMs = this.#throttle.waitMs(address, name, this.#now())
    if (waitMs > 0) return `too many failures for this user from this address; try again in ${Math.ceil(waitMs / 100) / 10} s`

    const found = this.#users.find(name)
    const outcome = await this.#checker.check(new Secret(password), found?.passwordHash, this.#users.decoy, login.isWanted)
    if (outcome === 'busy') return 'too many passwords are being checked; try again'
    if (outcome === 'mismatch' || found === undefined) {
      this.#throttle.failed(address, name, this.#now())
      return 'user or password is wrong'
    }
    this.#throttle.succeeded(address, name)
    return reason(authorize(found.user, 'connect', { kind: 'vhost', name: virtualHost })) ?? new UserAccess(found.user)
  }
}

function reason(decision: Decision): string | undefined {
  return decision.allowed ? undefined : decision.message
}
