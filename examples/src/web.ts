/**
 * As much of a web server as the examples need: routes by method and path, bodies with a limit, errors as status codes.
 *
 *     { 'POST /signup': handler, 'GET /pictures/': handler }       a route that ends in / takes every path below it
 */
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Answer {
  readonly status: number
  /** A Buffer goes out as PNG, anything else as JSON. */
  readonly body: unknown
}
export type Handler = (request: IncomingMessage, path: string) => Promise<Answer>

/** Thrown by a handler: the client is at fault, and hears why. */
export class WebError extends Error {
  override name = 'WebError'
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

/** Listens on this machine only. Port 0 takes a free one; the answer says which. */
export async function serve(port: number, routes: Readonly<Record<string, Handler>>): Promise<{ url: string; close(): Promise<void> }> {
  const server = createServer(async (request, response) => {
    const answer = await answerTo(request, routes)
    const png = Buffer.isBuffer(answer.body)
    response.writeHead(answer.status, { 'content-type': png ? 'image/png' : 'application/json' })
    response.end(png ? answer.body : `${JSON.stringify(answer.body)}\n`)
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', resolve)
  })
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeIdleConnections()
      }),
  }
}

async function answerTo(request: IncomingMessage, routes: Readonly<Record<string, Handler>>): Promise<Answer> {
  try {
    const path = new URL(request.url ?? '/', 'http://localhost').pathname
    const wanted = `${request.method} ${path}`
    const route = Object.keys(routes).find((name) => name === wanted || (name.endsWith('/') && wanted.startsWith(name)))
    if (route === undefined) throw new WebError(404, `nothing here for ${wanted}`)
    return await routes[route]!(request, path)
  } catch (error) {
    if (error instanceof WebError) return { status: error.status, body: { error: error.message } }
    console.error(error)
    return { status: 503, body: { error: 'not now; try again in a moment' } }
  }
}

/** The whole body of a request; 413 if it is larger than `sizeMax` bytes. */
export async function readBody(request: IncomingMessage, sizeMax: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > sizeMax) throw new WebError(413, `at most ${sizeMax} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}
