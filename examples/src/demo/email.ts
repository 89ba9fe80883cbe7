/**
 * Part one: visitors sign up and ask for passwords, mails reach their mailbox; workers come and go meanwhile, and the broker is killed.
 * A visitor who is told to try again does so with the same key. A mailbox shows one mail of each Message-ID.
 */
import { read, type ReceivedMail } from '../email/reading.js'
import { startSmtpServer } from '../email/smtp-server.js'
import { Deliveries } from './repeats.js'
import { addressIn, type Stage } from './stage.js'
import type { Sum } from './sums.js'

const visitorCount = 300
const visitorsAtOnce = 8
const triesMax = 5
const names = [
  'Anna',
  'Zoë',
  'Łukasz Żak',
  '山田 太郎',
  'Bob "the Builder" O’Neill',
  'Jörg, der Ältere',
  'Ana María de los Ángeles Fernández y Núñez',
  '',
]

export async function emailPart(stage: Stage): Promise<Sum> {
  const mailbox = new Map<string, ReceivedMail>()
  const deliveries = new Deliveries()
  const smtp = await startSmtpServer({
    greylisted: (to) => to.endsWith('@slow.example'),
    accept: (source) => {
      const mail = read(source)
      const [delivery = '', again] = (mail.headers.get('x-delivery') ?? '').split(' ')
      deliveries.add(delivery, again === 'again')
      if (!mailbox.has(idOf(mail))) mailbox.set(idOf(mail), mail)
      stage.notify()
    },
  })
  stage.closeLater(() => smtp.close())

  const http = await stage.start('email/http.js', ['--port', '0'])
  const startWorker = () => stage.start('email/worker.js', ['--smtp', `127.0.0.1:${smtp.port}`])
  const workers = [await startWorker(), await startWorker()]
  let awayMs = 0
  const changes = new Map<number, () => Promise<unknown>>([
    [visitorCount / 3, async () => void workers.push(await startWorker())],
    [visitorCount / 2, () => workers.shift()!.stop()],
    [(visitorCount * 2) / 3, () => workers.shift()!.stop()],
    [(visitorCount * 5) / 6, async () => (awayMs = await stage.crashBroker())],
  ])

  // Everybody who was answered with 202, by the id of the answer.
  const accepted = new Map<string, string>()
  let next = 0
  const lane = async () => {
    while (next < visitorCount) {
      const visitor = next++
      await changes.get(visitor)?.() // the other lanes go on meanwhile
      const name = names[visitor % names.length]!
      const id = await visit(addressIn(http), visitor, name)
      if (id !== undefined) accepted.set(id, name)
    }
  }
  await Promise.all(Array.from({ length: visitorsAtOnce }, lane))
  await stage.until(() => mailbox.size >= accepted.size)
  for (const program of [...workers, http]) await program.stop()

  stage.say(`2 workers, a 3rd added, 2 removed while visitors came; ${smtp.postponedCount} mails had to come back later`)
  stage.say(
    `the broker was killed (-9) and back after ${awayMs} ms with all that it had; ${deliveries.count - mailbox.size} mails came twice`,
  )
  return {
    part: 'email',
    equal: [
      {
        visitors: visitorCount,
        'accepted over HTTP': accepted.size,
        'in the mailbox, each once': mailbox.size,
        'written right': [...mailbox].filter(([id, mail]) => isRight(mail, accepted.get(id))).length,
      },
      { 'mails came': deliveries.count, 'new or flagged': deliveries.rightCount },
    ],
  }
}

/** Every other one signs up, the rest have forgotten a password. The id that a 202 came with; after a 503 it is tried again. */
async function visit(url: string, visitor: number, name: string): Promise<string | undefined> {
  const address = `visitor.${visitor}@${visitor % 25 === 0 ? 'slow' : 'quick'}.example`
  for (let tries = 0; tries < triesMax; tries++) {
    const answer = await fetch(`${url}/${visitor % 2 === 0 ? 'signup' : 'reset'}`, {
      method: 'POST',
      headers: { 'idempotency-key': `visitor-${visitor}` },
      body: JSON.stringify({ name, address }),
    })
    const { id } = (await answer.json()) as { id?: string }
    if (answer.status !== 503) return answer.status === 202 ? id : undefined
  }
  return undefined
}

/** The id of the mail, whoever sent it how often. */
function idOf(mail: ReceivedMail): string {
  return /^<(.*)@waybill\.example>$/.exec(mail.headers.get('message-id') ?? '')?.[1] ?? ''
}

/** Does this mail reach the visitor who was given its id, with the name as it was typed and each line of the text? */
function isRight({ headers, text }: ReceivedMail, name: string | undefined): boolean {
  const to = (headers.get('to') ?? '').replace(/\\(.)/g, '$1')
  return (
    name !== undefined &&
    to.includes(name) &&
    text.startsWith(`Hello ${name},\n`) &&
    text.endsWith('\n... and all the best\nThe Post Office\n')
  )
}
