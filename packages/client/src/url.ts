/**
 * Where to connect: `waybill://user:password@host:7670/vhost`, `waybills://` for TLS.
 *
 * User, password and virtual host are percent-decoded. Without a path the virtual host is `default`. Nothing else has a place in
 * the URL: a query or a fragment is a mistake, not something to be skipped.
 */
import { UsageError } from './errors.js'

export const portDefault = 7670
export const tlsPortDefault = 7671

/** One host to try. */
export interface Target {
  readonly host: string
  readonly port: number
  readonly tls: boolean
  readonly user: string | undefined
  readonly password: string | undefined
  readonly vhost: string | undefined
}

/** `host:port`, as it stands in statuses and logs; without user and password. */
export function hostOf(target: Target): string {
  return target.host.includes(':') ? `[${target.host}]:${target.port}` : `${target.host}:${target.port}`
}

/** Throws UsageError `URL_INVALID`; the message never contains the password. */
export function parseTarget(text: string): Target {
  if (typeof text !== 'string') throw invalid('a target is a URL such as waybill://localhost:7670, or a broker of this process')
  if (!/^waybills?:\/\//.test(text))
    throw invalid(`a URL begins with waybill:// or waybills://, such as waybill://localhost:${portDefault}`)
  let url: URL
  try {
    url = new URL(text)
  } catch {
    throw invalid('the URL cannot be read; it is waybill://user:password@host:port/vhost, with special characters percent-encoded')
  }
  if (url.hostname === '') throw invalid('the URL names no host')
  if (url.search !== '' || url.hash !== '') throw invalid('the URL has a query or a fragment; options are the second argument of connect')
  const tls = url.protocol === 'waybills:'
  const vhost = url.pathname === '' || url.pathname === '/' ? undefined : decode(url.pathname.slice(1), 'virtual host')
  if (vhost !== undefined && url.pathname.slice(1).includes('/'))
    throw invalid('the virtual host is one part of the path; write a / in it as %2F')
  return {
    host: decode(url.hostname.replace(/^\[(.*)\]$/, '$1'), 'host'),
    port: url.port === '' ? (tls ? tlsPortDefault : portDefault) : Number(url.port),
    tls,
    user: url.username === '' ? undefined : decode(url.username, 'user'),
    password: url.password === '' ? undefined : decode(url.password, 'password'),
    vhost,
  }
}

function decode(text: string, what: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw invalid(`the ${what} in the URL is not percent-encoded UTF-8`)
  }
}

function invalid(message: string): UsageError {
  return new UsageError('URL_INVALID', message)
}
