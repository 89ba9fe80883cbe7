/** The clock on the wall jumps: nothing that waits, beats or expires may go by it. */
import { sleep, visit } from '../load.mjs'
import { whyNoShim } from '../shim.mjs'
import { shimScenario } from '../shim-scenario.mjs'

const hourNs = 3_600e9
const jumps = [hourNs, -hourNs, 24 * hourNs, -24 * hourNs]

export const clockJumps = {
  name: 'clock jumps',
  amount: 12,
  amountShort: 2,
  skip: whyNoShim,
  run(context, amount) {
    return shimScenario(context, { name: this.name, strict: true }, async ({ broker, load, ledger, random, report, delays, shim }) => {
      await visit(broker.url, (connection) => connection.declareQueue('expires', { durable: true, expiresMs: 600_000 }))
      const lost = load.lostCount
      for (; report.times < amount; report.times++) {
        shim.set('wallShiftNs', jumps[report.times % jumps.length])
        const began = performance.now()
        const wentOn = await Promise.all([load.next('confirm', 100), load.next('delivery', 100)])
        delays.add('a hundred confirms and deliveries after a jump', Math.max(...wentOn) - began)
        await sleep(random.whole(100, 500))
        // Whoever comes now is served, too.
        await visit(broker.url, (connection) => connection.checkQueue('expires'))
      }
      if (load.lostCount > lost) ledger.broke(`${load.lostCount - lost} connections were lost`)
      await broker.kill()
      await broker.start()
      await load.next('confirm', 10)
    })
  },
}
