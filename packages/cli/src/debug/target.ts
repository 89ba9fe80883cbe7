/**
 * Where to connect to, as somebody types it:
 *
 *     (nothing)   localhost:7670                 [::1]:7670      waybill://ada:secret@broker.example/invoices
 *     7671        broker.example                 :7671           waybills://broker.example
 */
export const defaultPort = 7670

export interface Target {
  readonly host: string
  readonly port: number
  readonly tls: boolean
  readonly user?: string
  readonly password?: string
  readonly vhost?: string
}

/** Undefined: that is no address. */
export function readTarget(text: string): Target | undefined {
  if (/^waybills?:\/\//i.test(text)) return readUrl(text)
  if (/^\d+$/.test(text)) return withPort('localhost', text)
  const match = /^(?:\[([0-9a-fA-F:.%]+)\]|([^:/@\s[\]]*))(?::(\d+))?$/.exec(text)
  return match === null ? undefined : withPort(match[1] ?? match[2] ?? '', match[3])
}

/** `localhost:7670`, `[::1]:7670` */
export function targetText({ host, port }: Pick<Target, 'host' | 'port'>): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}

function readUrl(text: string): Target | undefined {
  // The URL class knows hosts and ports of http alone; the rest is alike.
  const tls = /^waybills:/i.test(text)
  let url: URL
  try {
    url = new URL(text.replace(/^waybills?:/i, 'http:'))
  } catch {
    return undefined
  }
  const port = /:(\d+)$/.exec(text.replace(/^[^/]*\/\//, '').split(/[/?#]/)[0])?.[1]
  const target = withPort(url.hostname.replace(/^\[|\]$/g, ''), port)
  if (target === undefined || url.search !== '' || url.hash !== '') return undefined
  const vhost = decode(url.pathname.slice(1))
  const user = decode(url.username)
  const password = decode(url.password)
  if (vhost === undefined || user === undefined || password === undefined) return undefined
  return {
    ...target,
    tls,
    ...(user === '' ? {} : { user }),
    ...(password === '' ? {} : { password }),
    ...(vhost === '' ? {} : { vhost }),
  }
}

function withPort(host: string, port: string | undefined): Target | undefined {
  const number = port === undefined ? defaultPort : Number(port)
  if (number < 1 || number > 0xffff) return undefined
  return { host: host === '' ? 'localhost' : host, port: number, tls: false }
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}
