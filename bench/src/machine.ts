/** The machine a bench ran on, in the words of its own files. */
import { execFileSync } from 'node:child_process'
import { statfsSync } from 'node:fs'
import { arch, cpus, platform, release, tmpdir, totalmem } from 'node:os'
import { textOf } from './files.js'

/** File systems by their number in statfs(2), as far as brokers are run on them. */
const fileSystems: Readonly<Record<number, string>> = {
  61267: 'ext4',
  1481003842: 'xfs',
  2435016766: 'btrfs',
  16914836: 'tmpfs',
  2035054128: 'overlayfs',
  801189825: 'zfs',
}

export function describeMachine(): Record<string, string | number> {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: /^PRETTY_NAME="?([^"\n]*)/m.exec(textOf('/etc/os-release'))?.[1] ?? platform(),
    kernel: `${platform()} ${release()} ${arch()}`,
    node: process.version,
    network: 'loopback',
    dataOn: fileSystemOf(tmpdir()),
  }
}

/** What the brokers' data lie on: in memory (tmpfs) nothing is ever synced, and the durable figures say nothing. */
function fileSystemOf(directory: string): string {
  const { type } = statfsSync(directory)
  return fileSystems[type] ?? `file system ${type.toString(16)}`
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
