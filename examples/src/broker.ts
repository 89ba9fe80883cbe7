/**
 * A broker inside a program of one's own: any free port of this machine, nothing kept on disk. The demo runs it as a
 * process beside its applications.
 *
 *     node examples/dist/broker.js [--port 7670]
 */
import { createBroker } from '@waybill/server'
import { options, run, whenAsked } from './program.js'

async function main(): Promise<void> {
  const { port } = options({ port: '7670' })
  const broker = await createBroker({ listen: { host: '127.0.0.1', port: Number(port) } })
  whenAsked(() => broker.close())
  console.log(`broker at waybill://127.0.0.1:${broker.address!.port}`)
}

run(main)
