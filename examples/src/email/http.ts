/**
 * The web side of a site: takes sign-ups and password resets and answers as soon as the broker has taken the job. Nobody
 * waits here for a mail server; a mail server that is down for an hour delays mails, not visitors.
 *
 *     node examples/dist/email/http.js [--broker waybill://localhost:7670] [--port 8025]
 *     curl -d '{"name":"Zoë","address":"zoe@example.org"}' http://127.0.0.1:8025/signup      →  202 {"id":"…"}
 */
import { randomBytes } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { connect } from '@waybill/client'
import { options, run, whenAsked } from '../program.js'
import { readBody, serve, WebError } from '../web.js'
import { type EmailJob, isAddress, type Mailing } from './jobs.js'

const formSizeMax = 4096
const nameLengthMax = 100
/** How long a visitor waits for a broker that is away. */
const brokerPatienceMs = 3_000

async function main(): Promise<void> {
  const { broker, port } = options({ broker: 'waybill://localhost:7670', port: '8025' })
  const connection = await connect<Mailing>(broker, { name: 'email http' })
  await connection.declareQueue('emails')

  /** 202 means: the broker has it. If that cannot be said in time, the visitor hears 503 and tries again. */
  const accept = async (job: EmailJob) => {
    const { id } = await connection.sendToQueue('emails', job, { timeoutMs: brokerPatienceMs })
    return { status: 202, body: { id } }
  }
  const web = await serve(Number(port), {
    'POST /signup': async (request) => accept({ kind: 'welcome', to: await readForm(request), at: Date.now() }),
    'POST /reset': async (request) =>
      accept({ kind: 'reset', to: await readForm(request), at: Date.now(), token: randomBytes(24).toString('base64url') }),
  })
  whenAsked(async () => {
    await web.close()
    await connection.close()
  })
  console.log(`sign-ups and resets at ${web.url}`)
}

async function readForm(request: IncomingMessage): Promise<EmailJob['to']> {
  const text = (await readBody(request, formSizeMax)).toString()
  let form: { name?: unknown; address?: unknown } | null
  try {
    form = JSON.parse(text)
  } catch {
    throw new WebError(400, 'not JSON')
  }
  const { name = '', address } = form ?? {}
  if (typeof name !== 'string' || name.length > nameLengthMax) throw new WebError(422, `a name of at most ${nameLengthMax} characters`)
  if (!isAddress(address)) throw new WebError(422, 'not an address that we can write to')
  return { name, address }
}

run(main)
