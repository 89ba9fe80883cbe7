/** The options of `connect`, checked once and filled in. */
import { limits, nameSizeMax } from '@waybill/protocol'
import { basename } from 'node:path'
import { checkOptions, checkSignal, nameOf } from '../arguments.js'
import { UsageError } from '../errors.js'
import { type Log, safely, stderrLog } from '../log.js'
import { checkTlsOptions } from '../transport/tls-options.js'
import type { ConnectOptions, TlsOptions } from '../types.js'
import type { Backoff } from './pauses.js'

export interface ConnectSettings {
  readonly name: string
  readonly user: string | undefined
  readonly password: string | undefined
  readonly vhost: string | undefined
  readonly connectTimeoutMs: number
  readonly heartbeatMs: number | undefined
  /** Undefined: a lost connection is lost. */
  readonly recovery: (Backoff & { readonly attempts: number }) | undefined
  /** The bounds of the waits between rounds while connecting for the first time. */
  readonly backoff: Backoff
  readonly offline: 'wait' | 'fail' | 'buffer'
  readonly offlineSizeMax: number
  readonly resend: boolean
  readonly tls: TlsOptions
  readonly log: Log
  /** The program has a logger of its own: it hears everything, listeners or not. */
  readonly hasLog: boolean
  readonly signal: AbortSignal | undefined
}

const known: Readonly<Record<keyof ConnectOptions, true>> = {
  name: true,
  user: true,
  password: true,
  vhost: true,
  connectTimeoutMs: true,
  heartbeatMs: true,
  recovery: true,
  offline: true,
  offlineSizeMax: true,
  unconfirmed: true,
  tls: true,
  log: true,
  signal: true,
}

const passwordSizeMax = limits.passwordSizeMax.value
const backoffMsDefault = 100
const backoffMaxMsDefault = 10_000

/** Throws UsageError for options that do not exist or do not fit. */
export function settingsOf(options: ConnectOptions): ConnectSettings {
  checkOptions('connect', options, Object.keys(known))
  const {
    connectTimeoutMs = 10_000,
    heartbeatMs,
    recovery = {},
    offline = 'wait',
    offlineSizeMax = 16 * 1024 * 1024,
    unconfirmed = 'reject',
  } = options
  for (const name of ['name', 'user', 'vhost'] as const) checkText(name, options[name])
  checkPassword(options.password)
  positive('connectTimeoutMs', connectTimeoutMs)
  positive('offlineSizeMax', offlineSizeMax)
  if (
    heartbeatMs !== undefined &&
    heartbeatMs !== 0 &&
    !(Number.isInteger(heartbeatMs) && heartbeatMs >= 5_000 && heartbeatMs <= 600_000)
  ) {
    throw new UsageError('OPTION_INVALID', 'heartbeatMs is 0 (never) or a whole number from 5,000 to 600,000')
  }
  oneOf('offline', offline, ['wait', 'fail', 'buffer'])
  oneOf('unconfirmed', unconfirmed, ['reject', 'resend'])
  if (recovery !== false) checkOptions('recovery', recovery, ['backoffMs', 'backoffMaxMs', 'attempts'])
  const { backoffMs = backoffMsDefault, backoffMaxMs = backoffMaxMsDefault, attempts = Infinity } = recovery === false ? {} : recovery
  positive('recovery.backoffMs', backoffMs)
  positive('recovery.backoffMaxMs', backoffMaxMs)
  positive('recovery.attempts', attempts)
  if (options.tls !== undefined) checkTlsOptions(options.tls)
  if (options.log !== undefined && typeof options.log !== 'function')
    throw new UsageError('OPTION_INVALID', 'log is a function of an entry')
  checkSignal(options.signal)
  return {
    name: options.name ?? `${basename(process.argv[1] ?? 'node')} ${process.pid}`,
    user: options.user,
    password: options.password,
    vhost: options.vhost,
    connectTimeoutMs,
    heartbeatMs,
    recovery: recovery === false ? undefined : { backoffMs, backoffMaxMs, attempts },
    backoff: { backoffMs, backoffMaxMs },
    offline,
    offlineSizeMax,
    resend: unconfirmed === 'resend',
    tls: options.tls ?? {},
    log: safely(options.log ?? stderrLog),
    hasLog: options.log !== undefined,
    signal: options.signal,
  }
}

/** A text of HELLO. [P-3.3, P-6.1] */
function checkText(option: string, value: unknown): void {
  if (value === undefined) return
  if (typeof value !== 'string') throw new UsageError('OPTION_INVALID', `the option ${option} is a string, not ${nameOf(value)}`)
  const size = Buffer.byteLength(value)
  if (size > nameSizeMax) throw new UsageError('OPTION_INVALID', `the option ${option} has ${size} bytes; at most ${nameSizeMax}`)
}

function checkPassword(value: unknown): void {
  if (value === undefined) return
  if (typeof value !== 'string') throw new UsageError('OPTION_INVALID', `the option password is a string, not ${nameOf(value)}`)
  if (value.length > passwordSizeMax) {
    throw new UsageError('OPTION_INVALID', `the option password has ${value.length} characters; at most ${passwordSizeMax}`)
  }
}

function positive(name: string, value: number): void {
  if (typeof value !== 'number' || !(value > 0)) throw new UsageError('OPTION_INVALID', `${name} is a number above 0`)
}

function oneOf(name: string, value: string, allowed: readonly string[]): void {
  if (!allowed.includes(value)) throw new UsageError('OPTION_INVALID', `${name} is '${allowed.join("', '")}', not '${String(value)}'`)
}
