/**
 * `waybill hash-password`: the hash of a password, as the `users` of a configuration have it.
 *
 *     $ waybill hash-password
 *     password:
 *     once more:
 *     scrypt$32768$8$1$…
 */
import { limits } from '@waybill/protocol'
import { hashPassword as hash } from '@waybill/server'
import type { Io } from './io.js'
import { Interrupted, readPassword, typePassword } from './password.js'

export const hashPasswordHelp = `waybill hash-password        prints the hash of a password, for the users in a configuration

  The password is asked for, or read from a pipe; it is never an argument, which every user of the machine could read.
  The line that is printed is the passwordHash of a user:

    { "users": [{ "name": "ada", "passwordHash": "scrypt$…" }] }
`

/** Resolves with the exit code; 2 when there is no password to hash. */
export async function hashPassword(args: readonly string[], io: Io): Promise<number> {
  if (args.length > 0) {
    io.stderr.write('a password is never an argument, where everybody on this machine can read it: run waybill hash-password and type it\n')
    return 2
  }
  const password = await askFor(io)
  if (password.problem !== undefined) {
    io.stderr.write(`${password.problem}\n`)
    return 2
  }
  io.stdout.write(`${await hash(password.text)}\n`)
  return 0
}

async function askFor(io: Io): Promise<{ text: string; problem?: undefined } | { problem: string }> {
  try {
    const text = io.stdin.isTTY === true ? await typeTwice(io) : await readPassword(io)
    if (text === undefined) return { problem: 'these were two different passwords' }
    if (text === '') return { problem: 'there was no password on standard input' }
    if (/[\r\n]/.test(text)) return { problem: 'there were several lines on standard input; a password is one' }
    const lengthMax = limits.passwordSizeMax.value
    if (text.length > lengthMax) return { problem: `a password of ${text.length} characters; at most ${lengthMax}` }
    return { text }
  } catch (error) {
    if (error instanceof Interrupted) return { problem: error.message }
    throw error
  }
}

/** Undefined: they were not the same. */
async function typeTwice(io: Io): Promise<string | undefined> {
  const first = await typePassword(io, 'password: ')
  const second = await typePassword(io, 'once more: ')
  return first === second ? first : undefined
}
