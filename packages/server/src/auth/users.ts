/** The users that a configuration names. Without any, there is `everyone`, who may do everything; the host then listens on this machine only. */
import { NamePatterns } from './name-patterns.js'
import { decoyLike, type PasswordHash, parsePasswordHash } from './passwords.js'

/** A user as it stands in a configuration. What is not given is not allowed. */
export interface UserOptions {
  readonly name: string
  /** What `waybill hash-password` prints. */
  readonly passwordHash: string
  /** Patterns of the virtual hosts that the user may connect to; ['default'] if not given. */
  readonly vhosts?: readonly string[]
  /** Patterns of the queues and exchanges that the user may make and delete, publish and bind to, and take from. */
  readonly permissions?: { readonly configure?: readonly string[]; readonly write?: readonly string[]; readonly read?: readonly string[] }
  /** Whether the user may see connections, channels, queues … of others. */
  readonly monitor?: boolean
}

export interface User {
  /** Undefined: everyone. */
  readonly name: string | undefined
  readonly vhosts: NamePatterns
  readonly configure: NamePatterns
  readonly write: NamePatterns
  readonly read: NamePatterns
  readonly monitor: boolean
}

const every = new NamePatterns(['*'])

export const everyone: User = { name: undefined, vhosts: every, configure: every, write: every, read: every, monitor: true }

export class Users {
  readonly #users = new Map<string, { readonly user: User; readonly passwordHash: PasswordHash }>()
  /** Checked in place of the hash of a user that does not exist; as dear as that of the first user. */
  readonly decoy: PasswordHash

  /** Throws when a hash is none or a name comes twice; a configuration is checked for that before. */
  constructor(options: readonly UserOptions[]) {
    for (const { name, passwordHash: text, vhosts = ['default'], permissions = {}, monitor = false } of options) {
      const passwordHash = parsePasswordHash(text)
      if (typeof passwordHash === 'string') throw new Error(`the passwordHash of user '${name}' cannot be used: ${passwordHash}`)
      if (this.#users.has(name)) throw new Error(`there are two users '${name}'`)
      const { configure = [], write = [], read = [] } = permissions
      const user = {
        name,
        vhosts: new NamePatterns(vhosts),
        configure: new NamePatterns(configure),
        write: new NamePatterns(write),
        read: new NamePatterns(read),
        monitor,
      }
      this.#users.set(name, { user, passwordHash })
    }
    const [first] = this.#users.values()
    this.decoy = decoyLike(first?.passwordHash)
  }

  get count(): number {
    return this.#users.size
  }

  find(name: string): { readonly user: User; readonly passwordHash: PasswordHash } | undefined {
    return this.#users.get(name)
  }
}
