/** What travels through the queue `emails`: everything that is needed to write one mail, and nothing of how it is sent. */

export interface EmailJob {
  readonly kind: 'welcome' | 'reset'
  readonly to: { readonly name: string; readonly address: string }
  /** When it was asked for, in ms since 1970. The mail is dated so; trying again writes the same mail. */
  readonly at: number
  /** The secret in the link of a password reset. */
  readonly token?: string
}

export interface Mailing {
  queues: { emails: EmailJob }
}

/** Looks at what came out of the queue before anybody works with it; what it throws is the reason why a job is rejected. */
export function parseJob(body: unknown): EmailJob {
  const { kind, to, at } = body as EmailJob
  if (kind !== 'welcome' && kind !== 'reset') throw new Error(`no such mail: ${kind}`)
  if (typeof to?.name !== 'string' || !isAddress(to.address)) throw new Error(`nobody to write to: ${JSON.stringify(to)}`)
  if (!Number.isFinite(at)) throw new Error('a job without a date')
  return body as EmailJob
}

const addressSizeMax = 254

/** Plain addresses only: no quotes, no comments, nothing that could end a header or an SMTP command early. */
export function isAddress(text: unknown): text is string {
  return typeof text === 'string' && text.length <= addressSizeMax && /^[\w.!#$%&'*+/=?^`{|}~-]{1,64}@[\w-]+(\.[\w-]+)+$/.test(text)
}
