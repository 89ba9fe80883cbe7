/**
 * The way between clients and broker, for as long as it suits us: bytes go on in pieces of any size, down to one, and connections are cut in the middle
 * of anything.
 *
 *     client ═▶ │ 7 │ 1 │ 1 │ 1 │ 512 │ ⚡          reset: both ends hear of it at once
 *                                       ╳          ended: in order, but in the middle of a frame
 *                                       …          silent: nothing more comes through, and somebody hears of it later
 */
import { createServer, connect as dial } from 'node:net'

export class CuttingProxy {
  cutCount = 0
  #server
  #target
  #random
  #pairs = new Set()

  constructor(target, random) {
    this.#target = target
    this.#random = random
  }

  async listen(port) {
    this.#server = createServer({ allowHalfOpen: true }, (client) => this.#join(client))
    await new Promise((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(port, '127.0.0.1', resolve)
    })
  }

  get connectionCount() {
    return this.#pairs.size
  }

  /** Cuts one of the connections, when it has carried a few bytes more. */
  cutOne() {
    const pairs = [...this.#pairs].filter((pair) => pair.isOpen && pair.cutAfter === Infinity)
    if (pairs.length === 0) return
    const pair = this.#random.pick(pairs)
    pair.cutKind = this.#random.pick(['reset', 'reset', 'ended', 'silent'])
    pair.cutAfter = this.#random.whole(0, this.#random.pick([8, 64, 4_096, 100_000]))
  }

  async close() {
    for (const pair of this.#pairs) this.#end(pair)
    await new Promise((resolve) => this.#server.close(resolve))
  }

  #join(client) {
    const server = dial({ port: this.#target, host: '127.0.0.1', allowHalfOpen: true })
    client.setNoDelay(true)
    server.setNoDelay(true)
    const pair = { client, server, isOpen: true, isSilent: false, cutAfter: Infinity, cutKind: 'reset', pieceMax: this.#pieceMax() }
    this.#pairs.add(pair)
    this.#pump(pair, client, server)
    this.#pump(pair, server, client)
    for (const socket of [client, server]) socket.on('error', () => this.#end(pair))
    for (const socket of [client, server]) socket.on('close', () => this.#end(pair))
  }

  /** Some connections go byte by byte, most in larger pieces. */
  #pieceMax() {
    return this.#random.pick([1, 3, 17, 300, 5_000, 65_536])
  }

  #pump(pair, from, to) {
    from.on('data', (bytes) => {
      if (pair.isSilent) return
      // Byte by byte is for what is small, or a megabyte would take a minute.
      const pieceMax = bytes.length > 2_000 ? Math.max(64, pair.pieceMax) : pair.pieceMax
      for (let at = 0; at < bytes.length && pair.isOpen && !pair.isSilent; ) {
        const size = Math.min(bytes.length - at, this.#random.whole(1, pieceMax), pair.cutAfter)
        if (size > 0) to.write(bytes.subarray(at, at + size))
        at += size
        pair.cutAfter -= size
        if (pair.cutAfter <= 0) this.#cut(pair)
      }
      if (to.writableLength > 1 << 20 && pair.isOpen) {
        from.pause()
        to.once('drain', () => from.resume())
      }
    })
    from.on('end', () => {
      if (!pair.isSilent && pair.isOpen) to.end()
    })
  }

  #cut(pair) {
    this.cutCount++
    if (pair.cutKind === 'silent') {
      pair.isSilent = true
      setTimeout(() => this.#end(pair), this.#random.whole(50, 500))
    } else if (pair.cutKind === 'ended') {
      pair.isOpen = false
      // The broker hears of it when the client has all that is on its way to it: else it would give the same messages to others first, who may be faster.
      pair.client.end(() => setImmediate(() => pair.server.end()))
      setTimeout(() => this.#end(pair), 50)
    } else this.#end(pair)
  }

  #end(pair) {
    if (!this.#pairs.delete(pair)) return
    pair.isOpen = false
    reset(pair.client)
    reset(pair.server)
  }
}

/** Ends a socket at once. One that is still sending its end cannot be reset: the system refuses, and Node would never close it. */
function reset(socket) {
  if (socket.writableEnded && !socket.writableFinished) socket.destroy()
  else socket.resetAndDestroy()
}
