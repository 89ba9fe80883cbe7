/**
 * Makes the blog's pictures smaller, one at a time. It may be killed at any moment: the picture it worked on is as it was,
 * its job was not settled, and the broker hands it to the next worker.
 *
 *     node examples/dist/images/worker.js --dir pictures [--broker waybill://localhost:7670]
 */
import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { connect, type Message, RejectError } from '@waybill/client'
import { options, run, whenAsked } from '../program.js'
import { replaceFile } from './files.js'
import { type PictureJob, parseJob } from './jobs.js'
import { PngError } from './png/chunks.js'
import { shrink } from './shrink.js'

async function main(): Promise<void> {
  const { broker, dir } = options({ broker: 'waybill://localhost:7670', dir: 'pictures' })
  const connection = await connect(broker, { name: 'picture worker' })
  await connection.declareQueue('pictures')

  // Jobs are long: whoever is busy should not hold jobs that others could begin.
  await connection.consume('pictures', (message) => work(message, dir), { parse: parseJob, prefetch: 1 })
  whenAsked(() => connection.close({ timeoutMs: 25_000 }))
  console.log(`looking after the pictures in ${dir}`)
}

async function work({ id, body: { name }, signal, redelivered }: Message<PictureJob>, dir: string): Promise<void> {
  console.log(`begin ${name} ${id}${redelivered ? ' again' : ''}`)
  const path = join(dir, name)
  try {
    const before = await readFile(path)
    const after = await shrink(before, { signal })
    if (after !== before) await replaceFile(path, after, `${path}.${process.pid}.part`)
    if (redelivered) await clearParts(dir, name)
    console.log(`done ${name} ${before.length} ${after.length}`)
  } catch (error) {
    if (error instanceof PngError) throw new RejectError(`${name}: ${error.message}`)
    if (isMissing(error)) throw new RejectError(`${name} is no longer there`)
    throw error
  }
}

/** Whoever had the job before and was killed may have left a part; whoever still works on one has lost the job, and will not miss it. */
async function clearParts(dir: string, name: string): Promise<void> {
  const parts = (await readdir(dir)).filter((file) => file.startsWith(`${name}.`) && file.endsWith('.part'))
  for (const part of parts) await rm(join(dir, part), { force: true })
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}

run(main)
