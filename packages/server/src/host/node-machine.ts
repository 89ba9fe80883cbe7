import { readFileSync } from 'node:fs'
import { totalmem } from 'node:os'

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
}
