/**
 * Makes the blog's pictures smaller, one at a time. It may be killed at any moment: the picture it worked on is as it was,
 * its job was not settled, and the broker hands it to the next worker.
 *
 *     node examples/dist/images/worker.js --dir pictures [--broker waybill://localhost:7670]
 */
import { readFile, rm } from 'node:fs/promises'
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

async function work({ body: { name }, signal, deliveryCount }: Message<PictureJob>, dir: string): Promise<void> {
  console.log(`begin ${name}${deliveryCount > 1 ? ' again' : ''}`)
  const path = join(dir, name)
  const partOf = (delivery: number) => `${path}.${delivery}.part`
  for (let earlier = 1; earlier < deliveryCount; earlier++) await rm(partOf(earlier), { force: true }) // of one that was killed

  try {
    const before = await readFile(path)
    const after = await shrink(before, { signal })
    if (after !== before) await replaceFile(path, after, partOf(deliveryCount))
    console.log(`done ${name} ${before.length} ${after.length}`)
  } catch (error) {
    if (error instanceof PngError) throw new RejectError(`${name}: ${error.message}`)
    if (isMissing(error)) throw new RejectError(`${name} is no longer there`)
    throw error
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}

run(main)
