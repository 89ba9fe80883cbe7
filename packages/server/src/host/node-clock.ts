import type { Clock } from '../ports/clock.js'

/** Time as Node has it. `soon` is behind all sockets that are readable now (setImmediate), once for each iteration of the loop. */
export function nodeClock(): Clock {
  let timer: NodeJS.Timeout | undefined
  let asked: (() => void) | undefined
  const run = (): void => {
    const turn = asked
    asked = undefined
    turn?.()
  }
  return {
    now: () => Math.floor(performance.now()),
    wall: () => Date.now(),
    arm(at, due) {
      clearTimeout(timer)
      timer = undefined
      if (at === Infinity) return
      timer = setTimeout(due, Math.min(0x7fff_ffff, Math.max(1, at - Math.floor(performance.now()))))
    },
    soon(turn) {
      if (asked === undefined) setImmediate(run)
      asked = turn
    },
  }
}
