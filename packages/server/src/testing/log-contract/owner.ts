/** Who has a log open, and ways to wait for it. It waits for `wake`, never for time. */
import type { Log, LogBlock, LogDamage, LogReading, LogReplay, Position } from '../../ports/log.js'
import { bytes, KiB } from './content.js'
import type { LogHome } from './home.js'

interface Found {
  readonly position: Position
  readonly index: number
  readonly content: Buffer
  readonly text: string
}

export class Owner {
  log!: Log
  onWake: () => void = () => undefined
  #waiting: { readonly isMet: () => boolean; readonly resolve: () => void }[] = []

  readonly wake = (): void => {
    this.onWake()
    const met = this.#waiting.filter(({ isMet }) => isMet())
    this.#waiting = this.#waiting.filter((each) => !met.includes(each))
    for (const { resolve } of met) resolve()
  }

  append(...texts: string[]): Position {
    return this.log.append(texts.map(bytes), 'sync')
  }

  /** Until the log has told of something that makes it so. */
  until(isMet: () => boolean): Promise<void> {
    if (isMet()) return Promise.resolve()
    return new Promise((resolve) => this.#waiting.push({ isMet, resolve }))
  }

  synced(position: Position): Promise<void> {
    return this.until(() => this.log.progress().synced >= position)
  }

  async replay(from: Position = 0): Promise<{ readonly found: Found[]; readonly replay: LogReplay }> {
    const found: Found[] = []
    const replay = await this.log.replay(from, (position, bytes) => {
      const content = Buffer.from(bytes)
      const text = content.length > 100 ? `${content.length} bytes` : content.toString()
      found.push({ position, index: found.length, content, text })
    })
    return { found, replay }
  }

  read(from: Position, size: number): Promise<LogReading> {
    return new Promise((resolve) => this.log.read(from, size, resolve))
  }

  async readOne(from: Position): Promise<{ readonly block: LogBlock; readonly reading: LogReading }> {
    const reading = await this.read(from, 1)
    return { block: reading.blocks[0], reading }
  }

  async readAll(from: Position = 0): Promise<{ readonly blocks: LogBlock[]; readonly damage: LogDamage[] }> {
    const blocks: LogBlock[] = []
    const damage: LogDamage[] = []
    for (let at: Position | undefined = from; at !== undefined; ) {
      const reading: LogReading = await this.read(at, 100 * KiB)
      blocks.push(...reading.blocks)
      damage.push(...reading.damage)
      at = reading.next
    }
    return { blocks, damage }
  }

  save(through: Position, parts: readonly Uint8Array[]): Promise<void> {
    return new Promise((resolve, reject) =>
      this.log.saveSnapshot({ through, parts }, (error) => (error === undefined ? resolve() : reject(error))),
    )
  }

  close(): Promise<void> {
    return new Promise((resolve) => this.log.close(resolve))
  }
}

export async function openLog(home: LogHome): Promise<Owner> {
  const owner = new Owner()
  owner.log = await home.open({ wake: owner.wake })
  return owner
}
