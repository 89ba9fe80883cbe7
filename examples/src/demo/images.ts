/** Part two: pictures are uploaded to a blog and made smaller behind its back; one worker is killed over its work, and later the broker. */
import { readdir } from 'node:fs/promises'
import { type Drawing, draw } from '../images/draw.js'
import { readChunks } from '../images/png/chunks.js'
import { decode } from '../images/png/picture.js'
import type { Program } from './programs.js'
import { Deliveries } from './repeats.js'
import { addressIn, type Stage } from './stage.js'
import type { Sum } from './sums.js'

const smallCount = 10

export async function imagesPart(stage: Stage): Promise<Sum> {
  const directory = stage.directory()
  const blog = await stage.start('images/blog.js', ['--port', '0', '--dir', directory])
  const url = addressIn(blog)
  const startWorker = () => stage.start('images/worker.js', ['--dir', directory])
  const workers = [await startWorker(), await startWorker()]

  const uploaded = new Map<string, Drawing>()
  const add = async (drawing: Drawing) => {
    const name = await upload(url, drawing)
    uploaded.set(name, drawing)
    return name
  }
  const beginner = (name: string) => workers.find(({ lines }) => lines.some((line) => line.startsWith(`begin ${name} `)))

  // The first picture is a large one. Whoever begins it will not live to finish it.
  const largeName = await add(draw(480, 360, 1))
  await stage.until(() => beginner(largeName) !== undefined)
  const victim = beginner(largeName)
  await victim?.kill()
  workers.push(await startWorker())
  for (let seed = 2; seed < 2 + smallCount; seed++) await add(draw(80 + 8 * seed, 64, seed))

  // Over the last one, a large one too, the broker is killed; the worker hears of it, and of the job once more.
  const lastName = await add(draw(480, 360, 2 + smallCount))
  await stage.until(() => beginner(lastName) !== undefined, 20_000)
  const awayMs = await stage.crashBroker()
  const doneNames = () =>
    new Set(workers.flatMap(({ lines }) => lines.filter((line) => line.startsWith('done ')).map((line) => line.split(' ')[1])))
  await stage.until(() => doneNames().size >= uploaded.size && isAgainDone(workers, lastName), 20_000)
  for (const worker of workers) if (worker !== victim) await worker.stop()

  const pictures = await Promise.all([...uploaded].map(async ([name, drawing]) => ({ drawing, file: await download(url, name) })))
  const size = (files: readonly Buffer[]) => Math.round(files.reduce((sum, file) => sum + file.length, 0) / 1024)
  await blog.stop()
  const sizes = { before: size([...uploaded.values()].map(({ file }) => file)), after: size(pictures.map(({ file }) => file)) }
  const finishers = workers.filter((worker) => worker !== victim && finished(worker, largeName))
  const deliveries = deliveriesIn(workers)
  stage.say(
    `the broker was killed (-9) over the last picture and back after ${awayMs} ms; ${deliveries.repeatCount} pictures were begun again`,
  )
  stage.say(
    `${sizes.before} KiB became ${sizes.after} KiB; ${nameOf(victim)} was killed over its picture, ${nameOf(finishers[0])} did it again`,
  )
  return {
    part: 'images',
    equal: [
      {
        uploaded: uploaded.size,
        'made smaller': pictures.filter(({ drawing, file }) => file.length < drawing.file.length && !hasComments(file)).length,
        'with every pixel': pictures.filter(({ drawing, file }) => decode(file).samples.equals(drawing.samples)).length,
        'files in all': (await readdir(directory)).length,
      },
      {
        'killed in the middle': victim === undefined || hasDone(victim, largeName) ? 0 : 1,
        'done by another': finishers.length,
      },
      { begun: deliveries.count, 'new or flagged': deliveries.rightCount },
    ],
  }
}

/** The name that the blog gave to the picture. */
async function upload(url: string, { file }: Drawing): Promise<string> {
  const answer = await fetch(`${url}/pictures`, { method: 'POST', body: new Uint8Array(file) })
  if (answer.status !== 202) throw new Error(`an upload was answered with ${answer.status}`)
  return ((await answer.json()) as { name: string }).name
}

async function download(url: string, name: string): Promise<Buffer> {
  return Buffer.from(await (await fetch(`${url}/pictures/${name}`)).arrayBuffer())
}

/** The broker handed it out a second time, and this one brought it to its end. */
function finished(worker: Program, name: string): boolean {
  return isBegunAgain(worker, name) && hasDone(worker, name)
}

function isAgainDone(workers: readonly Program[], name: string): boolean {
  return workers.some((worker) => finished(worker, name))
}

function isBegunAgain({ lines }: Program, name: string): boolean {
  return lines.some((line) => line.startsWith(`begin ${name} `) && line.endsWith(' again'))
}

/** Each `begin <picture> <id of the message> [again]` of all workers. */
function deliveriesIn(workers: readonly Program[]): Deliveries {
  const deliveries = new Deliveries()
  for (const line of workers.flatMap(({ lines }) => lines)) {
    const [word, , id, again] = line.split(' ')
    if (word === 'begin') deliveries.add(id!, again === 'again')
  }
  return deliveries
}

function hasDone({ lines }: Program, name: string): boolean {
  return lines.some((line) => line.startsWith(`done ${name} `))
}

function hasComments(file: Buffer): boolean {
  return readChunks(file).some(({ type }) => ['tEXt', 'zTXt', 'iTXt', 'tIME'].includes(type))
}

function nameOf(worker: Program | undefined): string {
  return worker === undefined ? 'nobody' : `process ${worker.pid}`
}
