/** Many seeds at once, in processes of their own: each takes every so-manieth, and they tell what happened in one line of JSON at the end. */
import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { Tally } from '../../dist/sim/index.js'

export interface Failed {
  readonly seed: number
  readonly step: number
  readonly check: string
  readonly message: string
}

/** What one process says. */
export interface Share {
  readonly seedCount: number
  readonly steps: number
  /** Steps of the seed that had fewest. */
  readonly stepsLeast: number
  readonly tally: readonly (readonly [string, number])[]
  readonly failed: readonly Failed[]
}

export interface Many {
  readonly seedCount: number
  readonly steps: number
  readonly stepsLeast: number
  readonly tally: Tally
  /** By seed. */
  readonly failed: readonly Failed[]
}

export interface ManyOptions {
  readonly first: number
  readonly count: number
  readonly steps: number
  readonly workers: number
  /** Raw peers only. */
  readonly raw?: boolean
}

const main = fileURLToPath(new URL('main.js', import.meta.url))

/** Rejects when a process ends without having said anything. */
export async function runMany({ first, count, steps, workers, raw = false }: ManyOptions): Promise<Many> {
  const children: ChildProcess[] = []
  const share = (worker: number): Promise<Share> =>
    new Promise((resolve, reject) => {
      const seeds = [
        '--seed',
        String(first + worker),
        '--seeds',
        String(Math.ceil((count - worker) / workers)),
        '--stride',
        String(workers),
      ]
      const args = [main, ...seeds, '--steps', String(steps), '--json', ...(raw ? ['--raw'] : [])]
      const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] })
      children.push(child)
      let said = ''
      let complaint = ''
      child.stdout.setEncoding('utf8').on('data', (text: string) => (said += text))
      child.stderr.setEncoding('utf8').on('data', (text: string) => (complaint += text))
      child.on('error', reject)
      child.on('close', (code) => {
        if (code === 0) resolve(JSON.parse(said) as Share)
        else reject(new Error(`seeds from ${first + worker}, each ${workers}th: ended with ${code}\n${said}${complaint}`))
      })
    })
  try {
    const shares = await Promise.all(Array.from({ length: Math.min(workers, count) }, (_, worker) => share(worker)))
    const tally = new Tally()
    for (const each of shares) for (const [kind, times] of each.tally) tally.count(kind, times)
    const sum = (of: (each: Share) => number): number => shares.reduce((all, each) => all + of(each), 0)
    const failed = shares.flatMap((each) => each.failed).sort((a, b) => a.seed - b.seed)
    const stepsLeast = Math.min(...shares.map((each) => each.stepsLeast))
    return { seedCount: sum((each) => each.seedCount), steps: sum((each) => each.steps), stepsLeast, tally, failed }
  } finally {
    for (const child of children) child.kill()
  }
}
