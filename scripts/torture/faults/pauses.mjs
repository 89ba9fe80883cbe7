/** Processes that do nothing for a while: SIGSTOP, as a machine does that swaps, or whose processors others have. */
import { sleep } from '../load.mjs'
import { RemoteConsumer } from '../remote-consumer.mjs'
import { scenario } from '../scenario.mjs'

const pauseMs = 5_000

export const pauseBroker = {
  name: 'broker held for 5 s',
  amount: 3,
  amountShort: 1,
  run(context, amount) {
    return scenario(context, { name: this.name }, async ({ broker, load, random, report, delays }) => {
      for (; report.times < amount; report.times++) {
        await sleep(random.whole(100, 500))
        await broker.pause()
        await sleep(pauseMs)
        broker.resume()
        const began = performance.now()
        delays.add('a hundred confirms after it was held', (await load.next('confirm', 100)) - began)
      }
    })
  },
}

export const pauseConsumer = {
  name: 'consumer held for 5 s',
  amount: 3,
  amountShort: 1,
  run(context, amount) {
    return scenario(context, { name: this.name }, async ({ broker, load, random, report, delays, closing }) => {
      for (; report.times < amount; report.times++) {
        const consumer = new RemoteConsumer(broker.url, 'shared', load, random.whole(0, 2 ** 31))
        closing.add(() => consumer.kill())
        await consumer.start()
        await sleep(random.whole(100, 500))
        consumer.signal('SIGSTOP')
        await sleep(pauseMs)
        consumer.signal('SIGCONT')
        const began = performance.now()
        delays.add('a hundred deliveries after it was held', (await load.next('delivery', 100)) - began)
        // It ends in the middle of its work: what it held goes to the others.
        await consumer.kill()
      }
    })
  },
}
