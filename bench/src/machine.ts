/** The machine a bench ran on, in the words of its own files. */
import { execFileSync } from 'node:child_process'
import { arch, cpus, platform, release, totalmem } from 'node:os'
import { textOf } from './files.js'

export function describeMachine(): Record<string, string | number> {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: /^PRETTY_NAME="?([^"\n]*)/m.exec(textOf('/etc/os-release'))?.[1] ?? platform(),
    kernel: `${platform()} ${release()} ${arch()}`,
    node: process.version,
    network: 'loopback',
  }
}

/** The commit of the working tree, with a plus when it has changes that are not committed. */
export function commitOf(directory: string): string | undefined {
  try {
    const git = (...args: string[]) =>
      execFileSync('git', args, { cwd: directory, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
    return `${git('rev-parse', '--short=12', 'HEAD')}${git('status', '--porcelain', '--', 'packages') === '' ? '' : '+'}`
  } catch {
    return undefined
  }
}
