/**
 * A blog that takes pictures. An upload is stored and answered at once; a worker makes the file smaller when it finds the
 * time. Until then the picture is shown as it came, and nobody sees the difference.
 *
 *     node examples/dist/images/blog.js --dir pictures [--broker waybill://localhost:7670] [--port 8026]
 *     curl --data-binary @sun.png http://127.0.0.1:8026/pictures      →  202 {"name":"….png","url":"/pictures/….png"}
 */
import { randomUUID } from 'node:crypto'
import { mkdir, readFile, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { connect } from '@waybill/client'
import { options, run, whenAsked } from '../program.js'
import { readBody, serve, WebError } from '../web.js'
import { replaceFile } from './files.js'
import { type Gallery, isPictureName } from './jobs.js'
import { isPng } from './png/chunks.js'

const uploadSizeMax = 16 * 1024 * 1024

async function main(): Promise<void> {
  const { broker, port, dir } = options({ broker: 'waybill://localhost:7670', port: '8026', dir: 'pictures' })
  await mkdir(dir, { recursive: true })
  const connection = await connect<Gallery>(broker, { name: 'blog' })
  await connection.declareQueue('pictures')

  /** First the file, then the job: a worker must never hear of a picture that is not there. */
  const store = async (picture: Buffer) => {
    const name = `${randomUUID()}.png`
    const path = join(dir, name)
    await replaceFile(path, picture, `${path}.upload`)
    try {
      await connection.sendToQueue('pictures', { name })
    } catch (error) {
      await rm(path, { force: true })
      throw error
    }
    return name
  }

  const web = await serve(Number(port), {
    'POST /pictures': async (request) => {
      const picture = await readBody(request, uploadSizeMax)
      if (!isPng(picture)) throw new WebError(415, 'only PNG')
      const name = await store(picture)
      return { status: 202, body: { name, url: `/pictures/${name}` } }
    },
    'GET /pictures/': async (_, path) => {
      const name = basename(path)
      if (!isPictureName(name)) throw new WebError(404, 'no such picture')
      const picture = await readFile(join(dir, name)).catch(() => undefined)
      if (picture === undefined) throw new WebError(404, 'no such picture')
      return { status: 200, body: picture }
    },
  })
  whenAsked(async () => {
    await web.close()
    await connection.close()
  })
  console.log(`taking pictures at ${web.url}`)
}

run(main)
