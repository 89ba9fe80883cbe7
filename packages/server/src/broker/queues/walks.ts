/** What walks over the messages of a lane: for a queue that ends, and for a log that has failed. The way of messages does not lead past here. */
import type { Slabs } from '../store/slabs.js'
import type { Lane } from './lane.js'
import { Meta, pageSize } from './page.js'

export type VisitMessage = (slab: number, offset: number, size: number, id: number) => void

/** The first place of a message in memory whose id is not below `id`, or -1. Ids rise with places. */
export function placeFrom(lane: Lane, id: number): number {
  let low = 0
  let high = lane.nextPlace
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    const place = lane.seek(middle)
    if (place < 0 || lane.page(place)!.ids[place & (pageSize - 1)] >= id) high = middle
    else low = place + 1
  }
  return lane.seek(low)
}

/** Calls `visit` for each persistent message in memory from `fromId` on. */
export function eachPersistent(lane: Lane, fromId: number, visit: VisitMessage): void {
  for (let place = placeFrom(lane, fromId); place >= 0; place = lane.seek(place + 1)) {
    const { words, ids } = lane.page(place)!
    const index = place & (pageSize - 1)
    const at = index << 2
    if ((words[at + 3] & Meta.persistent) !== 0) visit(words[at], words[at + 1], words[at + 2], ids[index])
  }
}

/** Gives back the records of all messages, cold ones too; nothing is left. */
export function releaseAll(lane: Lane, slabs: Slabs): void {
  for (let place = lane.seek(0); place >= 0; place = lane.seek(place + 1)) {
    const { words } = lane.page(place)!
    const at = (place & (pageSize - 1)) << 2
    if ((words[at + 3] & (Meta.unsettled | Meta.delayed)) === 0) lane.take(place)
    slabs.release(words[at], words[at + 2])
    lane.remove(place)
  }
  for (let cold = lane.nextCold(0); cold !== undefined; cold = lane.nextCold(cold.pageNumber)) lane.forget(cold, slabs)
}
