/**
 * Who reads the files of a data directory tells the process that has it. From then on, and for as long as the connection lasts, that one uses no file again that
 * it does not need any more, but removes it: a file that is removed stays whole for whoever has it open.
 *
 *     owner     4711                       its number, to everybody who connects
 *     reader    reading                    there is one
 *     owner     kept                       nothing is written over from now on
 *
 * Whichever of the two dies, the connection ends with it. Disk space that a reader holds in this way is at most what the directory had when it opened the files.
 */
import net from 'node:net'
import { placeElsewhere, placeIn, type SocketPlace } from './owner-socket.js'

/** An owner that is busy answers within it; one that is frozen writes nothing either. */
const answerMs = 2_000
/** Who has connected and says nothing has read the number by then. */
const silenceMs = 10_000

const readerLine = 'reading\n'
const keptLine = 'kept\n'

/** The readers that an owner knows of. */
export class Readers {
  readonly #sockets = new Set<net.Socket>()
  readonly #readers = new Set<net.Socket>()

  get areThere(): boolean {
    return this.#readers.size > 0
  }

  /** Somebody has connected: a reader, or who wants to know the owner's number. */
  meet(socket: net.Socket): void {
    this.#sockets.add(socket)
    socket.unref()
    socket.on('error', () => undefined)
    socket.on('close', () => {
      this.#sockets.delete(socket)
      this.#readers.delete(socket)
    })
    socket.setTimeout(silenceMs, () => {
      if (!this.#readers.has(socket)) socket.destroy()
    })
    socket.once('data', () => {
      this.#readers.add(socket)
      socket.write(keptLine)
      socket.resume()
    })
    socket.write(`${process.pid}\n`)
  }

  /** The owner goes. */
  end(): void {
    for (const socket of this.#sockets) socket.destroy()
  }
}

export interface Reading {
  end(): void
}

/** Tells the owner of the directory, if there is one that answers. */
export async function beginReading(directory: string): Promise<Reading> {
  for (const placeOf of [placeIn, placeElsewhere]) {
    const place = placeOf(directory)
    try {
      const socket = await announce(place)
      if (socket !== undefined) return { end: () => socket.destroy() }
    } finally {
      place.close()
    }
  }
  return { end: () => undefined }
}

/** Undefined: nobody is there, or nobody answers. */
function announce(place: SocketPlace): Promise<net.Socket | undefined> {
  return new Promise((resolve) => {
    let text = ''
    const socket = net.connect(place.path(place.name))
    const timer = setTimeout(() => socket.destroy(), answerMs)
    socket.setEncoding('utf8')
    socket.on('connect', () => socket.write(readerLine))
    socket.on('data', (piece: string) => {
      text += piece
      if (!text.endsWith(keptLine)) return
      clearTimeout(timer)
      socket.removeAllListeners('data')
      socket.resume()
      socket.unref()
      resolve(socket)
    })
    socket.on('error', () => undefined)
    socket.on('close', () => {
      clearTimeout(timer)
      resolve(undefined)
    })
  })
}
