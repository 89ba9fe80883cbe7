/**
 * One process at a time has a data directory. Its sign is a socket in the directory that it listens on:
 *
 *     owner.sock   somebody answers        it is owned
 *                  connection refused      whoever owned it has died: taken over
 *                  not there               free
 *
 * So a crash leaves nothing that would have to be cleaned up, process numbers do not matter, and containers that share a volume see one another. Machines
 * that share a network file system do not: a data directory belongs on a disk of its machine.
 */
import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import net from 'node:net'
import { Readers } from './data-reader.js'
import { placeElsewhere, placeIn, type SocketPlace } from './owner-socket.js'

/** For who owns it to say its number; that it accepts is enough to know that it lives. */
const answerMs = 500
/** After a take-over: whoever else did the same in this moment shows within it. */
const doubtMs = 20
const attemptsMax = 20
/** File systems without sockets say one of these. */
const unsupportedCodes = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'EINVAL', 'ENOSYS'])

export class DataOwnedError extends Error {
  readonly code = 'DATA_OWNED'
  readonly directory: string
  /** Its number where it runs; undefined when it does not say. */
  readonly pid: number | undefined

  constructor(directory: string, pid: number | undefined) {
    const who = pid === undefined ? 'another process' : `process ${pid}`
    super(`the data in ${directory} are in use by ${who}: stop it first, or choose another directory`)
    this.name = 'DataOwnedError'
    this.directory = directory
    this.pid = pid
  }
}

export interface DataLock {
  /** Whether somebody reads the files, and has said so. */
  readonly hasReaders: boolean
  /** Others may have the directory. */
  release(): Promise<void>
}

/** Takes the directory, which must be there. Rejects with DataOwnedError when another process, or this one, has it. */
export async function lockData(directory: string): Promise<DataLock> {
  const place = placeIn(directory)
  try {
    return await take(place, directory)
  } catch (error) {
    place.close()
    if (error instanceof DataOwnedError || !unsupportedCodes.has((error as NodeJS.ErrnoException).code ?? '')) throw error
    return take(placeElsewhere(directory), directory)
  }
}

async function take(place: SocketPlace, directory: string): Promise<DataLock> {
  const own = place.path(`${place.name}.${randomBytes(4).toString('hex')}`)
  const path = place.path(place.name)
  const readers = new Readers()
  const server = await listenAt(own, readers)
  const inode = fs.statSync(own).ino
  try {
    await claim(own, path, inode, directory)
  } catch (error) {
    fs.rmSync(own, { force: true })
    readers.end()
    server.close()
    throw error
  }
  return {
    get hasReaders() {
      return readers.areThere
    },
    release: () =>
      new Promise((resolve) => {
        if (inodeOf(path) === inode) fs.rmSync(path, { force: true })
        readers.end()
        server.close(() => {
          place.close()
          resolve()
        })
      }),
  }
}

/** Gives the listening socket `own` the name by which it owns. */
async function claim(own: string, path: string, inode: number, directory: string): Promise<void> {
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    if (linked(own, path)) return
    const seen = inodeOf(path)
    const answer = await ask(path)
    if (answer.isAlive) throw new DataOwnedError(directory, answer.pid)
    if (seen === undefined || inodeOf(path) !== seen) continue
    fs.renameSync(own, path)
    await new Promise((resolve) => setTimeout(resolve, doubtMs))
    if (inodeOf(path) !== inode) throw new DataOwnedError(directory, undefined)
    return
  }
  throw new DataOwnedError(directory, undefined)
}

/** Makes `path` another name of `own` and takes the old one away, if nobody has the name. */
function linked(own: string, path: string): boolean {
  try {
    fs.linkSync(own, path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
  fs.rmSync(own, { force: true })
  return true
}

function inodeOf(path: string): number | undefined {
  return fs.statSync(path, { throwIfNoEntry: false })?.ino
}

function listenAt(path: string, readers: Readers): Promise<net.Server> {
  const server = net.createServer((socket) => readers.meet(socket))
  server.unref()
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(path, () => resolve(server))
  })
}

/** Whether somebody listens at `path`, and the number that it says. */
function ask(path: string): Promise<{ readonly isAlive: boolean; readonly pid?: number }> {
  return new Promise((resolve) => {
    let text = ''
    let isAlive = false
    const socket = net.connect(path)
    const timer = setTimeout(() => socket.destroy(), answerMs)
    socket.setEncoding('utf8')
    socket.on('connect', () => {
      isAlive = true
    })
    socket.on('data', (piece: string) => {
      text += piece
      if (text.includes('\n')) socket.destroy()
    })
    socket.on('error', () => undefined)
    socket.on('close', () => {
      clearTimeout(timer)
      const pid = Number.parseInt(text, 10)
      resolve(Number.isNaN(pid) ? { isAlive } : { isAlive, pid })
    })
  })
}
