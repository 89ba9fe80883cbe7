/** `shim.c` as something that a broker is started with, and that fails when it is told to. Needs Linux, and a C compiler. */
import { spawnSync } from 'node:child_process'
import { closeSync, openSync, readSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const source = fileURLToPath(new URL('shim.c', import.meta.url))
const fields = {
  syncFailures: 0,
  shortWrites: 1,
  writeFailures: 2,
  wallShiftNs: 3,
  failedSyncs: 4,
  shortened: 5,
  failedWrites: 6,
  slowSyncs: 7,
  slowUs: 8,
  directorySyncFailures: 9,
  failedDirectorySyncs: 10,
}

/** Why there can be none here; undefined: there can. */
export function whyNoShim() {
  if (process.platform !== 'linux') return 'needs LD_PRELOAD, as Linux has it'
  return spawnSync('cc', ['--version']).status === 0 ? undefined : 'needs a C compiler, cc'
}

export class Shim {
  #library
  #control
  #file
  #directory

  /** For files below `directory`; what it needs is made in `home`. */
  constructor(home, directory) {
    this.#library = join(home, 'shim.so')
    this.#control = join(home, 'shim-control')
    this.#directory = directory
    const { status, stderr } = spawnSync('cc', ['-O2', '-shared', '-fPIC', '-o', this.#library, source, '-ldl'], { encoding: 'utf8' })
    if (status !== 0) throw new Error(`cc: ${stderr}`)
    writeFileSync(this.#control, Buffer.alloc(4096))
    this.#file = openSync(this.#control, 'r+')
  }

  /** To start a process with. */
  get env() {
    return {
      LD_PRELOAD: this.#library,
      WAYBILL_SHIM_CONTROL: this.#control,
      WAYBILL_SHIM_DIRECTORY: this.#directory,
      // Else syncs could go another way than by the library of the system.
      UV_USE_IO_URING: '0',
    }
  }

  set(field, value) {
    const bytes = Buffer.alloc(8)
    bytes.writeBigInt64LE(BigInt(value))
    writeSync(this.#file, bytes, 0, 8, fields[field] * 8)
  }

  get(field) {
    const bytes = Buffer.alloc(8)
    readSync(this.#file, bytes, 0, 8, fields[field] * 8)
    return Number(bytes.readBigInt64LE())
  }

  close() {
    closeSync(this.#file)
  }
}
