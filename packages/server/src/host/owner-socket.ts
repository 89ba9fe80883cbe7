/**
 * Where the socket is that the owner of a data directory listens on, by a path that is short enough for a socket.
 *
 *     DIR/owner.sock                      or, where that is too long or the file system has no sockets,
 *     TMPDIR/waybill-<hash>.sock          under a name that follows from the directory's
 */
import { createHash } from 'node:crypto'
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const socketName = 'owner.sock'
/** The shortest limit of a socket's path that systems have, less what the longest name takes. */
const directorySizeMax = 60

export interface SocketPlace {
  path(name: string): string
  readonly name: string
  close(): void
}

/** In the directory, if it can be. */
export function placeIn(directory: string): SocketPlace {
  if (Buffer.byteLength(directory) <= directorySizeMax) {
    return { path: (name) => join(directory, name), name: socketName, close: () => undefined }
  }
  if (process.platform !== 'linux') return placeElsewhere(directory)
  const descriptor = fs.openSync(directory, 'r')
  return { path: (name) => `/proc/self/fd/${descriptor}/${name}`, name: socketName, close: () => fs.closeSync(descriptor) }
}

/** Among the temporary files. */
export function placeElsewhere(directory: string): SocketPlace {
  const hash = createHash('sha256').update(fs.realpathSync(directory)).digest('hex').slice(0, 16)
  return { path: (name) => join(tmpdir(), name), name: `waybill-${hash}.sock`, close: () => undefined }
}
