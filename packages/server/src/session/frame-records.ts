// Hot: read and written for each record.
/**
 * What has been found of the records of the frame at hand: one frame is looked at from its first byte to its last before there is another, so all channels of a
 * shard share the room.
 */

const noVerdicts = new Uint16Array(0)
const noSizes = new Uint32Array(0)

/** Room for as many is kept between frames. */
const countIdle = 4096

export class FrameRecords {
  /** Of each: whether it is good, like the one before, or refused, with which code. */
  verdicts = noVerdicts
  /** Bytes of each. */
  sizes = noSizes
  /** Whether most of them go other ways than the one before: see RouteCache.lookAhead. */
  isScattered = false

  /** A frame has so many. */
  begin(count: number): void {
    if (this.verdicts.length < count) this.#makeRoom(Math.max(64, 2 ** Math.ceil(Math.log2(count))))
  }

  end(count: number): void {
    if (count > countIdle) this.#makeRoom(0)
  }

  #makeRoom(count: number): void {
    this.verdicts = count === 0 ? noVerdicts : new Uint16Array(count)
    this.sizes = count === 0 ? noSizes : new Uint32Array(count)
  }
}
