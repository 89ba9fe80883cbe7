/**
 * Whom a signal of the program ends: all calls that were given it, by one listener. A signal may be shared by as many calls as there
 * are, and Node warns of a leak from the eleventh listener on.
 *
 * Invariant: it is listened to exactly while a call waits.
 */
const waiting = new WeakMap<EventTarget, Set<() => void>>()

/** `call` is called once, when the signal is aborted; unless what is returned is called before. The signal is not aborted yet. */
export function onAbort(signal: AbortSignal, call: () => void): () => void {
  const calls = waiting.get(signal) ?? new Set()
  if (calls.size === 0) {
    waiting.set(signal, calls)
    signal.addEventListener('abort', aborted, { once: true })
  }
  calls.add(call)
  return () => {
    if (!calls.delete(call) || calls.size > 0 || waiting.get(signal) !== calls) return
    waiting.delete(signal)
    signal.removeEventListener('abort', aborted)
  }
}

function aborted({ target }: Event): void {
  const calls = waiting.get(target as EventTarget) ?? []
  waiting.delete(target as EventTarget)
  for (const call of calls) call()
}
