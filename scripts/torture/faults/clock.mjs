/** The clock on the wall jumps: nothing that waits, beats or expires may go by it. */
import { connect } from '@waybill/client'
import { join } from 'node:path'
import { connectOptions, sleep } from '../load.mjs'
import { scenario } from '../scenario.mjs'
import { Shim, whyNoShim } from '../shim.mjs'

const hourNs = 3_600e9
const jumps = [hourNs, -hourNs, 24 * hourNs, -24 * hourNs]

export const clockJumps = {
  name: 'clock jumps',
  amount: 12,
  amountShort: 2,
  skip: whyNoShim,
  run(context, amount) {
    let shim
    const env = {}
    const place = async (home, closing) => {
      const data = join(home, 'data')
      shim = new Shim(home, data)
      closing.add(() => shim.close())
      Object.assign(env, shim.env)
      return data
    }
    return scenario(context, { name: this.name, strict: true, env, place }, async ({ broker, load, ledger, random, report }) => {
      const connection = await connect(broker.url, connectOptions)
      await connection.declareQueue('expires', { durable: true, expiresMs: 600_000 })
      await connection.close()
      const lost = load.lostCount
      for (; report.times < amount; report.times++) {
        shim.set('wallShiftNs', jumps[report.times % jumps.length])
        await load.next('confirm', 100, 10_000)
        await load.next('delivery', 100, 10_000)
        await sleep(random.whole(100, 500))
        // Whoever comes now is served, too.
        const visitor = await connect(broker.url, connectOptions)
        await visitor.checkQueue('expires')
        await visitor.close()
      }
      if (load.lostCount > lost) ledger.broke(`${load.lostCount - lost} connections were lost`)
      await broker.kill()
      await broker.start()
      await load.next('confirm', 10)
    })
  },
}
