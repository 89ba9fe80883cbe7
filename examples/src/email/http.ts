/**
 * The web side of a site: takes sign-ups and password resets and answers as soon as the broker has taken the job. Nobody
 * waits here for a mail server; a mail server that is down for an hour delays mails, not visitors.
 *
 *     node examples/dist/email/http.js [--broker waybill://localhost:7670] [--port 8025]
 *     curl -d '{"name":"Zoë","address":"zoe@example.org"}' http://127.0.0.1:8025/signup      →  202 {"id":"…"}
 *
 * Who hears 503 does not know whether the job was taken: it may ask again with the same `idempotency-key`, and the mail is the same.
 */
import { randomBytes, randomUUID } from 'node:crypto'
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

  /** 202 means: the broker has it on its disk. If that cannot be said in time, the visitor hears 503 and tries again. */
  const accept = async (request: IncomingMessage, job: EmailJob) => {
    const messageId = keyOf(request)
    await connection.sendToQueue('emails', job, { messageId, timeoutMs: brokerPatienceMs })
    return { status: 202, body: { id: messageId } }
  }
  const web = await serve(Number(port), {
    'POST /signup': async (request) => accept(request, { kind: 'welcome', to: await readForm(request), at: Date.now() }),
    'POST /reset': async (request) =>
      accept(request, { kind: 'reset', to: await readForm(request), at: Date.now(), token: randomBytes(24).toString('base64url') }),
  })
  whenAsked(async () => {
    await web.close()
    await connection.close()
  })
  console.log(`sign-ups and resets at ${web.url}`)
}

/** The id of the mail: the visitor's own, or a new one. */
function keyOf({ headers: { 'idempotency-key': key } }: IncomingMessage): string {
  if (key === undefined) return randomUUID()
  if (typeof key !== 'string' || !/^[\w-]{1,64}$/.test(key))
    throw new WebError(400, 'an idempotency-key is 1 to 64 letters, digits, _ or -')
  return key
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
