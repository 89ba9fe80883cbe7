/** Who somebody is and what they may do, as the session asks it. One `Access` in front of every command. */
export type Verb = 'configure' | 'write' | 'read'

export interface Access {
  readonly user: string | undefined
  /** Why not, or undefined if it is allowed. The name of an exchange or queue is the resource. */
  refusal(verb: Verb, kind: 'queue' | 'exchange', name: string): string | undefined
  /** Why the lists of the virtual host may not be read, or undefined. */
  monitorRefusal(): string | undefined
}

export interface Credentials {
  readonly user: string | undefined
  readonly password: string | undefined
  readonly virtualHost: string
  readonly remote: string
  readonly local: boolean
  /** Whether anybody still waits for the answer. */
  readonly isWanted: () => boolean
}

/** Checks credentials; takes its time over it, so the answer comes to `done`, in a later turn. */
export interface Authenticator {
  /** An `Access`, or the words of the refusal. Called at most once. */
  check(credentials: Credentials, done: (outcome: Access | string) => void): void
}

/** What a broker without users allows: everything. It listens on this machine only. */
export const fullAccess: Access = {
  user: undefined,
  refusal: () => undefined,
  monitorRefusal: () => undefined,
}
