/** Part one: visitors sign up and ask for passwords, mails reach their mailbox, workers come and go meanwhile. */
import { read, type ReceivedMail } from '../email/reading.js'
import { startSmtpServer } from '../email/smtp-server.js'
import { addressIn, type Stage } from './stage.js'
import type { Sum } from './sums.js'

const visitorCount = 300
const visitorsAtOnce = 8
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
  const received: ReceivedMail[] = []
  const smtp = await startSmtpServer({
    greylisted: (to) => to.endsWith('@slow.example'),
    accept: (source) => {
      received.push(read(source))
      stage.notify()
    },
  })
  stage.closeLater(() => smtp.close())

  const http = await stage.start('email/http.js', ['--port', '0'])
  const startWorker = () => stage.start('email/worker.js', ['--smtp', `127.0.0.1:${smtp.port}`])
  const workers = [await startWorker(), await startWorker()]
  const changes = new Map([
    [visitorCount / 3, async () => void workers.push(await startWorker())],
    [visitorCount / 2, () => workers.shift()!.stop()],
    [(visitorCount * 2) / 3, () => workers.shift()!.stop()],
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
  const idsReceived = () => new Set(received.map(idOf))
  await stage.until(() => idsReceived().size >= accepted.size)
  for (const program of [...workers, http]) await program.stop()

  stage.say(`2 workers, a 3rd added, 2 removed while visitors came; ${smtp.postponedCount} mails had to come back later`)
  return {
    part: 'email',
    equal: [
      {
        visitors: visitorCount,
        'accepted over HTTP': accepted.size,
        'mails delivered': received.length,
        'different message ids': idsReceived().size,
        'written right': received.filter((mail) => isRight(mail, accepted.get(idOf(mail)))).length,
      },
    ],
  }
}

/** Every other one signs up, the rest have forgotten a password. The id that a 202 came with. */
async function visit(url: string, visitor: number, name: string): Promise<string | undefined> {
  const address = `visitor.${visitor}@${visitor % 25 === 0 ? 'slow' : 'quick'}.example`
  const answer = await fetch(`${url}/${visitor % 2 === 0 ? 'signup' : 'reset'}`, {
    method: 'POST',
    body: JSON.stringify({ name, address }),
  })
  const { id } = (await answer.json()) as { id?: string }
  return answer.status === 202 ? id : undefined
}

/** The broker's id of the message that this mail was made from. */
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
