/**
 * A disk that can lose its power: an ext4 file system in a file, mounted by way of a loop device. While the process that writes to it is held, the
 * file is what the disk has: whatever nobody has synced is only in the memory of the system, and not in it.
 *
 * Needs root, mkfs.ext4 and losetup. Invariant: what `close` has not taken down is in `closing` of the scenario that made it.
 */
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'

/** Why there can be no such disk here; undefined: there can. */
export function whyNoImages() {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'needs root, to mount file systems'
  for (const tool of ['mkfs.ext4', 'losetup', 'mount', 'umount', 'cp']) {
    if (spawnSync('sh', ['-c', `command -v ${tool}`]).status !== 0) return `needs ${tool}`
  }
  const home = mkdtempSync(join(tmpdir(), 'waybill-probe-'))
  try {
    Image.make(home, 'probe', 4 * 2 ** 20).close()
    return undefined
  } catch (error) {
    return `no file system can be mounted here: ${error.message.trim()}`
  } finally {
    rmSync(home, { recursive: true, force: true })
  }
}

export class Image {
  file
  folder
  #device

  constructor(file, folder) {
    this.file = file
    this.folder = folder
  }

  /** Makes and mounts a new one of `size` bytes. */
  static make(home, name, size) {
    const image = new Image(join(home, `${name}.img`), join(home, name))
    run('truncate', '--size', String(size), image.file)
    run('mkfs.ext4', '-q', '-F', '-E', 'lazy_itable_init=0,nodiscard', '-m', '0', image.file)
    image.mount()
    return image
  }

  mount() {
    mkdirSync(this.folder, { recursive: true })
    this.#device = run('losetup', '--find', '--show', this.file).trim()
    try {
      run('mount', '-t', 'ext4', this.#device, this.folder)
    } catch (error) {
      this.close()
      throw error
    }
  }

  /** What the disk has at this moment, as another one that is not mounted yet. The copy is made again until nothing was written to the disk meanwhile. */
  copy(home, name) {
    const copy = new Image(join(home, `${name}.img`), join(home, name))
    for (;;) {
      const before = this.#writes()
      rmSync(copy.file, { force: true })
      run('cp', '--sparse=always', this.file, copy.file)
      if (this.#writes() === before) return copy
    }
  }

  /** Unmounted, and gone. */
  close() {
    if (this.#device !== undefined) {
      if (spawnSync('umount', [this.folder]).status !== 0) spawnSync('umount', ['--lazy', this.folder])
      spawnSync('losetup', ['--detach', this.#device])
      this.#device = undefined
    }
    rmSync(this.file, { force: true })
    rmSync(this.folder, { recursive: true, force: true })
  }

  /** Writes that the device has ended, and those under way. */
  #writes() {
    const fields = readFileSync(`/sys/block/${basename(this.#device)}/stat`, 'utf8')
      .trim()
      .split(/\s+/)
    return `${fields[4]} ${fields[6]} ${fields[8]}`
  }
}

function run(command, ...args) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${error?.message ?? stderr}`)
  return stdout
}
