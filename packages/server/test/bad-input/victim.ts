/**
 * A broker in a process of its own, so that its memory can be looked at. Started with `--expose-gc` and options as JSON; says its port,
 * answers 'memory' with bytes, begins to look for the peak anew on 'forget', makes every thread of its pool hash a password on 'hash', and stops
 * on 'stop'.
 */
import { createBroker, hashPassword } from '@waybill/server'
import { readFileSync, writeFileSync } from 'node:fs'

const gc = (globalThis as { gc?: () => void }).gc!

/** The most that was resident at once: since it was forgotten, or since the start where a process cannot do that. */
function peak(): number {
  try {
    // Not what getrusage says: that has in it what the parent had when it forked.
    return Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync('/proc/self/status', 'latin1'))![1]) * 1_024
  } catch {
    return process.resourceUsage().maxRSS * 1_024
  }
}

function forgetPeak(): void {
  try {
    writeFileSync('/proc/self/clear_refs', '5')
  } catch {
    // Then that of starting is in it as well: the bound is only harder to keep.
  }
}

const starting = createBroker({ ...JSON.parse(process.argv[2] ?? '{}'), listen: { host: '127.0.0.1', port: 0 }, log: 'none' })
process.on('message', async (question) => {
  if (question === 'memory') {
    gc()
    await new Promise((resolve) => setImmediate(resolve))
    gc()
    process.send!({ memory: process.memoryUsage.rss(), peak: peak() })
  } else if (question === 'forget') {
    forgetPeak()
    process.send!({ forgotten: true })
  } else if (question === 'hash') {
    // As many at once as the pool has threads: each of them gets one.
    await Promise.all(Array.from({ length: 4 }, () => hashPassword('anything')))
    process.send!({ hashed: true })
  } else {
    await (await starting).close({ graceMs: 0 })
    process.disconnect()
  }
})
void starting.then((broker) => process.send!({ port: broker.address!.port }))
process.on('disconnect', () => process.exit())
