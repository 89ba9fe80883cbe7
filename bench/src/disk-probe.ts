/**
 * What the disk itself takes: a write of 4 KiB and fdatasync on a prefilled file, one after another, in the directory
 * where the brokers keep their data. Nothing that syncs before it confirms can be faster.
 */
import { closeSync, fdatasyncSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'

const writeSize = 4_096
const blockSize = 2 ** 20

/** Microseconds of `count` writes, each with its sync: one after another, or each so many milliseconds after the last. */
export async function syncTimes(directory: string, count: number, pauseMs = 0): Promise<number[]> {
  const file = join(directory, 'disk-probe')
  const descriptor = openSync(file, 'w')
  try {
    const block = Buffer.alloc(blockSize, 0x55)
    for (let at = 0; at < count * writeSize; at += blockSize) writeSync(descriptor, block, 0, blockSize, at)
    fdatasyncSync(descriptor)
    const times: number[] = []
    for (let index = 0; index < count; index++) {
      if (pauseMs > 0) await sleep(pauseMs)
      const startedAt = performance.now()
      writeSync(descriptor, block, 0, writeSize, index * writeSize)
      fdatasyncSync(descriptor)
      times.push(Math.round((performance.now() - startedAt) * 10_000) / 10)
    }
    return times
  } finally {
    closeSync(descriptor)
    rmSync(file)
  }
}
