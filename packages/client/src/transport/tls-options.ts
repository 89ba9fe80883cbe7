/** The options of TLS: what they can be, and whether there are certificates in them. Where there is none, Node trusts nobody and does not say why. */
import { X509Certificate } from 'node:crypto'
import { checkOptions } from '../arguments.js'
import { UsageError } from '../errors.js'
import type { TlsOptions } from '../types.js'
import { hostOf, type Target } from '../url.js'

type Pem = string | Buffer

const names = ['ca', 'cert', 'key', 'passphrase', 'serverName', 'insecureSkipVerification']

/** Throws UsageError for options that do not exist or do not fit. */
export function checkTlsOptions(tls: TlsOptions): void {
  checkOptions('tls', tls, names)
  const { ca, cert, key, passphrase, serverName, insecureSkipVerification } = tls
  if (ca !== undefined && !isPem(ca) && !(Array.isArray(ca) && ca.every(isPem))) {
    throw invalid('ca is a string or a Buffer with certificates (PEM), or an array of them')
  }
  if (cert !== undefined && !isPem(cert)) throw invalid('cert is a string or a Buffer with a certificate (PEM)')
  if (key !== undefined && !isPem(key)) throw invalid('key is a string or a Buffer with a key (PEM)')
  if (passphrase !== undefined && typeof passphrase !== 'string') throw invalid('passphrase is a string')
  if (serverName !== undefined && typeof serverName !== 'string') throw invalid('serverName is a string')
  if (insecureSkipVerification !== undefined && typeof insecureSkipVerification !== 'boolean') {
    throw invalid('insecureSkipVerification is true or false')
  }
}

/** Whoever gives an option of TLS means it for every host. Throws UsageError for one that would be spoken to in plain text. */
export function checkTlsTargets(tls: TlsOptions, targets: readonly Target[]): void {
  if (Object.values(tls).every((value) => value === undefined)) return
  const plain = targets.find((target) => !target.tls)
  if (plain === undefined) return
  throw new UsageError(
    'OPTION_INVALID',
    `the option 'tls' is given, but ${hostOf(plain)} would be spoken to in plain text: begin its URL with waybills://`,
  )
}

/** The certificates of `tls.ca`, as Node takes them. Throws when there are none in one of its parts. */
export function authoritiesOf(ca: Pem | readonly Pem[]): Pem | Pem[] {
  const all = isPem(ca) ? [ca] : [...ca]
  if (all.length === 0 || !all.every(hasCertificate)) {
    throw new Error('tls.ca has no certificate; it is the certificate itself (PEM), not the name of its file')
  }
  return isPem(ca) ? ca : all
}

function isPem(value: unknown): value is Pem {
  return typeof value === 'string' || Buffer.isBuffer(value)
}

function hasCertificate(pem: Pem): boolean {
  if (!/-----BEGIN (X509 |TRUSTED )?CERTIFICATE-----/.test(pem.toString())) return false
  try {
    return new X509Certificate(pem) !== undefined
  } catch {
    return false
  }
}

function invalid(what: string): UsageError {
  return new UsageError('OPTION_INVALID', `tls.${what}`)
}
