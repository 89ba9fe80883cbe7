/** The first bytes of whoever answers: is it a broker, and does it speak our version? They may come one at a time. [P-12.1] */
import { checkPreface, prefaceSize, protocolMajor } from '@waybill/protocol'
import { WaybillError } from '../errors.js'

export class PrefaceReader {
  /** Why there is no going on with it. */
  error: WaybillError | undefined
  readonly #host: string
  #seen: Buffer = Buffer.alloc(0)

  constructor(host: string) {
    this.#host = host
  }

  /** Where the frames begin; -1 while the preface is not there, or after it was wrong: then `error` is set. */
  read(bytes: Uint8Array, from: number, to: number): number {
    const take = Math.min(prefaceSize - this.#seen.length, to - from)
    this.#seen = Buffer.concat([this.#seen, bytes.subarray(from, from + take)])
    const check = checkPreface(this.#seen, 0, this.#seen.length)
    if (check.state === 'need-more') return -1
    if (check.state === 'foreign') {
      const line = Buffer.from(bytes.subarray(from, Math.min(to, from + 200))).toString('latin1')
      const said = check.foreign === 'tls' ? 'it speaks TLS: use waybills://' : `it said ${JSON.stringify(line.split('\r\n')[0])}`
      this.error = new WaybillError('NOT_WAYBILL', `${this.#host} is no Waybill broker: ${said}`)
      return -1
    }
    if (check.refused || check.major !== protocolMajor) {
      const message = `${this.#host} speaks version ${check.major}.${check.minor} of the protocol, this client ${protocolMajor}`
      this.error = new WaybillError('VERSION_UNSUPPORTED', message)
      return -1
    }
    return from + take
  }
}
