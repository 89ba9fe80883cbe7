/**
 * A broker in a process of its own, so that its memory can be looked at. Started with `--expose-gc` and options as JSON; says its port,
 * answers 'memory' with bytes, makes every thread of its pool hash a password on 'hash', and stops on 'stop'.
 */
import { createBroker, hashPassword } from '@waybill/server'

const gc = (globalThis as { gc?: () => void }).gc!

const starting = createBroker({ ...JSON.parse(process.argv[2] ?? '{}'), listen: { host: '127.0.0.1', port: 0 }, log: 'none' })
process.on('message', async (question) => {
  if (question === 'memory') {
    gc()
    await new Promise((resolve) => setImmediate(resolve))
    gc()
    process.send!({ memory: process.memoryUsage.rss(), peak: process.resourceUsage().maxRSS * 1024 })
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
