/**
 * How much memory the messages may take if nobody says: a quarter of what this process can have. In a container that is what its
 * control group allows, which is the least that any group on its way up allows.
 *
 *     /proc/self/cgroup    0::/app.slice/waybill                  v2: memory.max in that folder of /sys/fs/cgroup and above
 *                          4:memory:/docker/1f0c…                 v1: memory.limit_in_bytes below /sys/fs/cgroup/memory
 *
 * Inside a container the folder of that name is often not there; its own group is then the top of the tree.
 */
export interface Machine {
  /** Bytes of memory of the whole machine. */
  readonly totalMemorySize: number
  /** The text of a file, or undefined if it cannot be read. */
  readText(path: string): string | undefined
  /** Bytes of the whole disk that a directory lies on, or will; undefined if nobody knows. */
  diskSize?(directory: string): number | undefined
}

const share = 1 / 4
const budgetMin = 64 << 20

/** Bytes; at least 64 MiB. */
export function memoryBudget(machine: Machine): number {
  const memorySize = Math.min(machine.totalMemorySize, ...groupLimits(machine))
  return Math.max(budgetMin, Math.floor(memorySize * share))
}

function groupLimits(machine: Machine): number[] {
  const limits: number[] = []
  const add = (path: string) => {
    const text = machine.readText(path)?.trim()
    // v2 says `max`, v1 a number near 2^63, when there is no limit.
    if (text !== undefined && /^\d+$/.test(text) && Number(text) > 0) limits.push(Number(text))
  }
  for (const line of (machine.readText('/proc/self/cgroup') ?? '').split('\n')) {
    const [, controllers, group] = /^\d+:([^:]*):(\/.*)$/.exec(line.trim()) ?? []
    if (controllers === undefined || group === undefined) continue
    const isV1 = controllers.split(',').includes('memory')
    if (controllers !== '' && !isV1) continue
    for (const folder of upwards(group)) {
      add(isV1 ? `/sys/fs/cgroup/memory${folder}/memory.limit_in_bytes` : `/sys/fs/cgroup${folder}/memory.max`)
    }
  }
  return limits
}

/** `/a/b` → `/a/b`, `/a`, and the top, which is ''. */
function upwards(group: string): string[] {
  const parts = group.split('/').filter((part) => part !== '' && part !== '..')
  return Array.from({ length: parts.length + 1 }, (_, i) =>
    parts
      .slice(0, parts.length - i)
      .map((part) => `/${part}`)
      .join(''),
  )
}
