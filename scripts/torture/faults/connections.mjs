/** Connections that are cut at any byte, by a proxy that passes everything on in small pieces. */
import { freePort } from '../broker.mjs'
import { sleep } from '../load.mjs'
import { CuttingProxy } from '../proxy.mjs'
import { scenario } from '../scenario.mjs'

export const cutConnections = {
  name: 'connections cut',
  amount: 100,
  amountShort: 12,
  run(context, amount) {
    let proxy
    const through = async (target, closing) => {
      proxy = new CuttingProxy(target, context.random.fork())
      const port = await freePort()
      await proxy.listen(port)
      closing.add(() => proxy.close())
      return `waybill://127.0.0.1:${port}`
    }
    return scenario(context, { name: this.name, through, loadOptions: { rate: 2_000 } }, async ({ load, random, report, delays }) => {
      while (proxy.cutCount < amount) {
        proxy.cutOne()
        await sleep(random.whole(5, 120))
      }
      const began = performance.now()
      delays.add('fifty confirms after the last cut', (await load.next('confirm', 50)) - began)
      report.times = proxy.cutCount
    })
  },
}
