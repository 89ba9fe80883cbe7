/**
 * `npm run demo`: a broker in a process of its own and four applications that use it for real work. Three of them go on while
 * the broker is killed with `kill -9` and started again on what it has kept. Each part ends in a sum of figures that were
 * counted in different places; the last line says whether all of them agree.
 *
 * Exit code 0: all agree. 1: one was wrong, or a part broke off; it is named. Nothing is left behind in either case.
 */
import { emailPart } from './demo/email.js'
import { imagesPart } from './demo/images.js'
import { ordersPart } from './demo/orders.js'
import { rpcPart } from './demo/rpc.js'
import { Stage } from './demo/stage.js'
import { inWords, type Sum, verdict } from './demo/sums.js'

const parts = [
  { name: 'email', title: 'sign-ups and password resets become mails', play: emailPart },
  { name: 'images', title: 'uploaded pictures become smaller, pixel by pixel the same', play: imagesPart },
  { name: 'orders', title: 'order events find their queues', play: ordersPart },
  { name: 'rpc', title: 'price questions and their answers', play: rpcPart },
] as const

/** However long something hangs, the demo ends. */
const patienceMs = 57_000

async function main(): Promise<void> {
  const stage = new Stage((line) => console.log(`  ${line}`))
  process.once('exit', () => stage.clearAtOnce())
  for (const sign of ['SIGINT', 'SIGTERM'] as const) process.once(sign, () => process.exit(1))
  let playing = 'demo'
  const patience = setTimeout(() => {
    console.log(`wrong sum in ${playing}: not done in time`)
    process.exit(1)
  }, patienceMs)

  const sums: Sum[] = []
  const broken: string[] = []
  try {
    await stage.openBroker()
    for (const { name, title, play } of parts) {
      playing = name
      console.log(`${name}: ${title}`)
      try {
        const sum = await play(stage)
        console.log(`  ${inWords(sum)}\n`)
        sums.push(sum)
      } catch (error) {
        broken.push(`${name}: ${error instanceof Error ? error.message : error}`)
      }
    }
    await stage.closeBroker().catch((error) => broken.push(`broker: ${error.message}`))
  } finally {
    await stage.clear()
    clearTimeout(patience)
  }
  const { lines, exitCode } = verdict(sums, broken)
  for (const line of lines) console.log(line)
  process.exitCode = exitCode
}

main().catch((error) => {
  console.error(error)
  process.exitCode = 1
})
