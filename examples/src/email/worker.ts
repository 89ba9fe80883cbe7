/**
 * Writes mails and hands them to an SMTP server. Start as many as there is work for, end them when there is less: what a
 * worker had not begun goes to the others, what it had begun it finishes first.
 *
 *     node examples/dist/email/worker.js [--broker waybill://localhost:7670] [--smtp localhost:2525]
 */
import { connect, RejectError, RetryError } from '@waybill/client'
import { options, run, whenAsked } from '../program.js'
import { type Mailing, parseJob } from './jobs.js'
import { letterFor } from './letters.js'
import { compose } from './message.js'
import { deliver, SmtpError } from './smtp-client.js'

const comeBackMs = 300

async function main(): Promise<void> {
  const { broker, smtp } = options({ broker: 'waybill://localhost:7670', smtp: 'localhost:2525' })
  const [host = 'localhost', port = '25'] = smtp.split(':')
  const connection = await connect<Mailing>(broker, { name: 'email worker' })
  await connection.declareQueue('emails')

  await connection.consume(
    'emails',
    async (message) => {
      const { id, redelivered, properties } = message
      const letter = letterFor(message.body, properties.messageId ?? id, redelivered ? `${id} again` : id)
      const envelope = { from: letter.from.address, to: letter.to.address }
      try {
        await deliver(compose(letter), envelope, { host, port: Number(port), signal: message.signal })
      } catch (error) {
        throw judged(error)
      }
    },
    { concurrency: 4, parse: parseJob },
  )
  whenAsked(() => connection.close({ timeoutMs: 25_000 }))
  console.log(`delivering mails to ${smtp}`)
}

/** A refusal for ever is not tried again; one for now soon; whatever else went wrong, as late as the broker thinks right. */
function judged(error: unknown): unknown {
  if (!(error instanceof SmtpError)) return error
  return error.isPermanent ? new RejectError(error.message) : new RetryError(error.message, { delayMs: comeBackMs })
}

run(main)
