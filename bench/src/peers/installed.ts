/** Which brokers this machine has: a command that answers its version, or nothing. */
import { execFileSync } from 'node:child_process'
import { createRequire } from 'node:module'

/** The first match of `pattern` in what the command prints; undefined when it cannot be run. */
export function versionOf(command: string, args: readonly string[], pattern: RegExp): string | undefined {
  try {
    const text = execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'], timeout: 20_000 })
    return pattern.exec(text)?.[1]
  } catch {
    return undefined
  }
}

/** `name version` of an installed client package. */
export function clientVersion(name: string): string {
  const require = createRequire(import.meta.url)
  for (const folder of require.resolve.paths(name) ?? []) {
    try {
      return `${name} ${(require(`${folder}/${name}/package.json`) as { version: string }).version}`
    } catch {
      // Not in this folder.
    }
  }
  return name
}
