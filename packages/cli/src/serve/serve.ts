/** placeholder until config is there */
import { createBroker } from '@waybill/server'
import type { Io } from '../io.js'
export const serveHelp = 'waybill serve  x\n'
export async function serve(_args: readonly string[], io: Io): Promise<number> {
  const b = await createBroker({ listen: { port: Number(process.env.P ?? 0), host: '127.0.0.1' } })
  io.stdout.write(`listening waybill://127.0.0.1:${b.address?.port}\n`)
  await new Promise<void>((r) => io.onSignal(() => r()))
  await b.close()
  return 0
}
