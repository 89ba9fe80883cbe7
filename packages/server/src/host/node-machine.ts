import { readFileSync, statfsSync } from 'node:fs'
import { totalmem } from 'node:os'
import { dirname, resolve } from 'node:path'

/** This machine, as a configuration asks for it. */
export const nodeMachine = {
  totalMemorySize: totalmem(),
  readText(path: string): string | undefined {
    try {
      return readFileSync(path, 'utf8')
    } catch {
      return undefined
    }
  },
  diskSize(directory: string): number | undefined {
    for (let path = resolve(directory); ; path = dirname(path)) {
      try {
        const { blocks, bsize } = statfsSync(path)
        return blocks * bsize
      } catch {
        if (path === dirname(path)) return undefined
      }
    }
  },
}
