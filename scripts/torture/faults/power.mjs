/**
 * The power goes: all that is left is what the disk had. The broker goes on from a copy of the disk that was made while nothing of it could run.
 *
 * A sync of a file in the page cache of the same machine takes no time, and hardly a cut would fall between a write and its sync. So, where there can be a shim,
 * syncs take some milliseconds: whoever confirms before the sync is found out.
 */
import { join } from 'node:path'
import { Image, whyNoImages } from '../image.mjs'
import { sleep } from '../load.mjs'
import { scenario } from '../scenario.mjs'
import { Shim, whyNoShim } from '../shim.mjs'

const imageSize = 1024 ** 3

export const powerCut = {
  name: 'power cut',
  amount: 20,
  amountShort: 2,
  skip: whyNoImages,
  run(context, amount) {
    let image
    let shim
    const env = {}
    const place = async (home, closing) => {
      image = Image.make(home, 'disk-0', imageSize)
      closing.add(() => image.close())
      if (whyNoShim() === undefined) {
        shim = new Shim(home, home)
        closing.add(() => shim.close())
        Object.assign(env, shim.env)
      }
      return join(image.folder, 'data')
    }
    return scenario(
      context,
      { name: this.name, strict: true, place, env, flags: ['--disk-free-min', '0'] },
      async ({ broker, load, random, report, delays, home }) => {
        for (; report.times < amount; report.times++) {
          shim?.set('slowUs', random.pick([0, 3_000, 10_000, 30_000]))
          shim?.set('slowSyncs', -1)
          await sleep(random.whole(200, 2_000))
          if (random.chance(0.2)) {
            load.setConsuming(false)
            await sleep(random.whole(300, 1_000))
          }
          await broker.pause()
          const copy = image.copy(home, `disk-${report.times + 1}`)
          await broker.kill()
          image.close()
          image = copy
          image.mount()
          broker.data = join(image.folder, 'data')
          const began = performance.now()
          const delivery = load.next('delivery')
          await broker.start()
          load.setConsuming(true)
          delays.add('a cut to the first delivery after it', (await delivery) - began)
        }
      },
    )
  },
}
