/**
 * What the files of a data directory are called. Anything else in it is not ours, and is left alone.
 *
 *     waybill.json            whose log it is            segment-00000001.log    blocks, one behind another
 *     waybill.json.new        the next waybill.json      spare-00000001.log      a segment to be: its space is there already
 *     snapshot-00000001.a.wbs, .b.wbs                    the same snapshot, twice; .new: being written
 */

export const manifestName = 'waybill.json'
export const newSuffix = '.new'

export const snapshotCopies = ['a', 'b'] as const
export type SnapshotCopy = (typeof snapshotCopies)[number]

export function segmentName(id: number): string {
  return `segment-${digits(id)}.log`
}

export function spareName(number: number): string {
  return `spare-${digits(number)}.log`
}

export function snapshotName(number: number, copy: SnapshotCopy): string {
  return `snapshot-${digits(number)}.${copy}.wbs`
}

/** Undefined: it is not a segment. */
export function segmentOfName(name: string): number | undefined {
  return numberIn(/^segment-(\d{8,})\.log$/.exec(name))
}

export function spareOfName(name: string): number | undefined {
  return numberIn(/^spare-(\d{8,})\.log$/.exec(name))
}

export function snapshotOfName(name: string): number | undefined {
  return numberIn(/^snapshot-(\d{8,})\.[ab]\.wbs$/.exec(name))
}

/** Something that was being made when its process ended. */
export function isUnfinished(name: string): boolean {
  return name === manifestName + newSuffix || /^snapshot-\d{8,}\.[ab]\.wbs\.new$/.test(name)
}

/** Whether it is what one of the files above is called. */
export function isOurs(name: string): boolean {
  return (
    name === manifestName ||
    isUnfinished(name) ||
    [segmentOfName, spareOfName, snapshotOfName].some((numberOf) => numberOf(name) !== undefined)
  )
}

function digits(number: number): string {
  return String(number).padStart(8, '0')
}

function numberIn(match: RegExpExecArray | null): number | undefined {
  return match === null ? undefined : Number(match[1])
}
