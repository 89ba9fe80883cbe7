/**
 * A broker inside a program of one's own: any free port of this machine, what is durable kept in a directory. The demo runs it as
 * a process beside its applications, and kills it in the middle of their work.
 *
 *     node examples/dist/broker.js [--port 7670] [--data waybill-data]
 */
import { createBroker } from '@waybill/server'
import { options, run, whenAsked } from './program.js'

async function main(): Promise<void> {
  const { port, data } = options({ port: '7670', data: 'waybill-data' })
  const broker = await createBroker({ listen: { host: '127.0.0.1', port: Number(port) }, data })
  whenAsked(() => broker.close())
  console.log(`broker at waybill://127.0.0.1:${broker.address!.port}`)
}

run(main)
