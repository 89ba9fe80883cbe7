/** kill -9 of the broker under load: what was in the system's page cache is still there, what the process had in its hands is gone. */
import { scenario } from '../scenario.mjs'
import { sleep } from '../load.mjs'

/** Until the first delivery after a restart, with a backlog of less than 100,000 messages. */
const restartMsMax = 1_000
const restarted = 'a kill to the first delivery after it'

export const kill = {
  name: 'kill -9',
  amount: 25,
  amountShort: 2,
  run(context, amount) {
    return scenario(context, { name: this.name, strict: true }, async ({ broker, load, random, report, delays }) => {
      for (; report.times < amount; report.times++) {
        await sleep(random.whole(20, 900))
        if (random.chance(0.2)) {
          // A backlog to come back to.
          load.setConsuming(false)
          await sleep(random.whole(300, 1_500))
        }
        await broker.kill()
        const began = performance.now()
        const delivery = load.next('delivery')
        await broker.start()
        load.setConsuming(true)
        delays.add(restarted, (await delivery) - began)
      }
      delays.checkHalf(restarted, restartMsMax)
    })
  },
}

/** kill -9 while it starts, again and again, at any moment: what recovery has begun and not ended must not matter. */
export const killStarting = {
  name: 'kill -9 while starting',
  amount: 10,
  amountShort: 1,
  run(context, amount) {
    return scenario(context, { name: this.name, strict: true }, async ({ broker, load, random, report, delays }) => {
      let startMs = 500
      while (report.times < amount) {
        await sleep(random.whole(200, 600))
        await broker.kill()
        for (let i = random.whole(1, 3); i > 0 && report.times < amount; i--, report.times++) {
          broker.spawn()
          await sleep(random.next() * startMs * 1.1)
          await broker.kill()
        }
        const began = performance.now()
        const delivery = load.next('delivery')
        startMs = await broker.start()
        delays.add(restarted, (await delivery) - began)
      }
    })
  },
}
