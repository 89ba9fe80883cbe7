/** What the mails say. A letter is made from its job alone, so that every try to send it makes the same one but for `delivery`. */
import type { EmailJob } from './jobs.js'
import type { Mail } from './message.js'

const office = { name: 'The Post Office', address: 'office@waybill.example' }
const hour = 60 * 60 * 1000

export function letterFor(job: EmailJob, id: string, delivery: string): Mail {
  const { subject, lines } = job.kind === 'welcome' ? welcome(job) : reset(job)
  return {
    from: office,
    to: job.to,
    subject,
    text: [`Hello ${job.to.name},`, '', ...lines, '', '... and all the best', 'The Post Office', ''].join('\n'),
    date: new Date(job.at),
    messageId: `${id}@waybill.example`,
    delivery,
  }
}

function welcome(job: EmailJob) {
  return {
    subject: `Welcome, ${job.to.name}!`,
    lines: [
      'your account is open: from now on nothing that you hand in at our counter gets lost on its way, though it may take a moment.',
      '“Late is not lost,” as we say here.',
    ],
  }
}

function reset(job: EmailJob) {
  return {
    subject: 'A new password',
    lines: [
      'somebody, we hope you, has asked for a new password. Choose it here:',
      '',
      `https://waybill.example/reset?to=${encodeURIComponent(job.to.address)}&token=${job.token ?? ''}`,
      '',
      `The link ends at ${new Date(job.at + hour).toUTCString()}. If it was not you, there is nothing to do.`,
    ],
  }
}
