/**
 * Passwords come in through standard input, never through the command line, where every user of the machine can read them.
 * On a terminal they are typed without being shown.
 */
import type { Io } from './io.js'

/** Somebody pressed Ctrl-C instead of typing a password. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted'
}

/** Shows the prompt on standard error and reads one line that is not shown. Rejects with Interrupted. */
export function typePassword({ stdin, stderr }: Io, prompt: string): Promise<string> {
  stderr.write(prompt)
  stdin.setRawMode?.(true)
  stdin.resume()
  return new Promise((resolve, reject) => {
    let typed = ''
    const finish = (): void => {
      stdin.off('data', onData)
      stdin.setRawMode?.(false)
      stdin.pause()
      stderr.write('\n')
    }
    const onData = (bytes: Buffer | string): void => {
      for (const character of bytes.toString('utf8')) {
        if (character === '\r' || character === '\n') {
          finish()
          resolve(typed)
          return
        }
        if (character === '\u0003' || character === '\u0004') {
          finish()
          reject(new Interrupted('nothing was typed'))
          return
        }
        if (character === '\u007f' || character === '\b') typed = [...typed].slice(0, -1).join('')
        else typed += character
      }
    }
    stdin.on('data', onData)
  })
}

/** All of a pipe, without the line end that `echo` puts behind it. */
export async function readPassword({ stdin }: Io): Promise<string> {
  const parts: Buffer[] = []
  for await (const part of stdin) parts.push(Buffer.from(part))
  return Buffer.concat(parts)
    .toString('utf8')
    .replace(/\r?\n$/, '')
}
