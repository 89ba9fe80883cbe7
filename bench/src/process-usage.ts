/**
 * CPU time and memory of process trees, as Linux tells them in /proc. On other systems there is nothing to read and
 * every figure is zero; the report then leaves the columns empty.
 */
import { namesIn, textOf } from './files.js'

/** `getconf CLK_TCK`: 100 on every Linux that Node runs on. */
const ticksPerSecond = 100

export interface CpuTimes {
  /** Seconds of user and kernel time of each watched tree, its reaped children counted in. */
  readonly trees: readonly number[]
  /** Seconds the whole machine was busy. */
  readonly machine: number
}

/** The process and all its descendants. */
export function processTree(root: number): number[] {
  const children = new Map<number, number[]>()
  for (const name of namesIn('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const stat = statOf(Number(name))
    if (stat === undefined) continue
    const siblings = children.get(stat.parent)
    if (siblings === undefined) children.set(stat.parent, [Number(name)])
    else siblings.push(Number(name))
  }
  const tree = [root]
  for (let index = 0; index < tree.length; index++) tree.push(...(children.get(tree[index] as number) ?? []))
  return tree
}

export function cpuTimes(trees: readonly (readonly number[])[]): CpuTimes {
  const times = trees.map((tree) => tree.reduce((sum, pid) => sum + (statOf(pid)?.ticks ?? 0), 0) / ticksPerSecond)
  return { trees: times, machine: machineBusy() }
}

/** Proportional memory of a tree in bytes: shared pages are counted once. */
export function memoryOf(tree: readonly number[]): number {
  let bytes = 0
  for (const pid of tree) {
    const found = /^Pss:\s+(\d+) kB/m.exec(textOf(`/proc/${pid}/smaps_rollup`))
    if (found !== null) bytes += Number(found[1]) * 1_024
  }
  return bytes
}

/** The most that the processes of a tree ever had in memory, in bytes; what they share is counted for each. */
export function memoryMaxOf(tree: readonly number[]): number {
  const peaks = tree.map((pid) => Number(/^VmHWM:\s+(\d+) kB/m.exec(textOf(`/proc/${pid}/status`))?.[1] ?? 0))
  return peaks.reduce((sum, kibibytes) => sum + kibibytes * 1_024, 0)
}

function statOf(pid: number): { parent: number; ticks: number } | undefined {
  const text = textOf(`/proc/${pid}/stat`)
  if (text === '') return undefined
  // The name in parentheses may hold spaces and parentheses; what follows the last one is numbers.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  const number = (index: number) => Number(fields[index])
  return { parent: number(1), ticks: number(11) + number(12) + number(13) + number(14) }
}

function machineBusy(): number {
  const [, user, nice, system, idle, wait, irq, softirq, steal] = (textOf('/proc/stat').split('\n')[0] ?? '').split(/\s+/).map(Number)
  if (idle === undefined || wait === undefined) return 0
  return ((user ?? 0) + (nice ?? 0) + (system ?? 0) + (irq ?? 0) + (softirq ?? 0) + (steal ?? 0)) / ticksPerSecond
}
