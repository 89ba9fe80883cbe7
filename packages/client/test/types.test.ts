/** Shapes are erased at run time; here the compiler is what is tested. Each `@ts-expect-error` fails the build when nothing is wrong. */
import type { Channel, Connection, Message, Publisher, Status } from '@waybill/client'
import t from 'tap'

interface Paid {
  id: number
  cents: number
}
interface Shop {
  exchanges: { orders: { 'order.paid': Paid; 'order.sent': { id: number } } }
  queues: { emails: { to: string } }
}

/** Never called. */
export async function typed(connection: Connection<Shop>): Promise<void> {
  await connection.publish('orders', 'order.paid', { id: 1, cents: 2 })
  // @ts-expect-error no such exchange
  await connection.publish('order', 'order.paid', { id: 1, cents: 2 })
  // @ts-expect-error no such key
  await connection.publish('orders', 'order.payed', { id: 1, cents: 2 })
  // @ts-expect-error another body
  await connection.publish('orders', 'order.sent', { id: 'one' })
  await connection.sendToQueue('emails', { to: 'a@b' })
  // @ts-expect-error another body
  await connection.sendToQueue('emails', { two: 'a@b' })

  const publisher: Publisher<Shop, 'orders'> = connection.publisher('orders', { window: 2_000 })
  publisher.send('order.paid', { id: 1, cents: 2 })
  // @ts-expect-error another body
  publisher.send('order.paid', { id: 1 })

  await connection.consume('emails', (message) => message.body.to.length)
  // @ts-expect-error the body has no such field
  await connection.consume('emails', (message) => message.body.from)
  await connection.consume('anything', (message) => message.body.toFixed(), { parse: (body: unknown) => Number(body) })
  for await (const message of connection.messages('emails', { prefetch: 10 })) message.body.to.trim()
  // @ts-expect-error an iterator has no handlers
  connection.messages('emails', { concurrency: 2 })
  const message: Message<{ to: string }> | undefined = await connection.get('emails', { waitMs: 5 })
  message?.ack()
  const reply = await connection.request<{ cents: number }>('', 'quotes', { sku: 'A1' })
  reply.body.cents.toFixed()
  await connection.respond<{ sku: string }>('quotes', (each) => ({ sku: each.body.sku }))
  const queues = await connection.list('queues', { prefix: 'a' })
  queues.map(({ messageCount }) => messageCount.toFixed())
  const channel: Channel<Shop> = await connection.channel()
  await channel.close()
}

/** Never called: without shapes names are strings and bodies unknown. */
export async function untyped(connection: Connection): Promise<void> {
  await connection.publish('any', 'key', { any: 'body' })
  connection.publisher('any').send('key', [1])
  await connection.consume('any', (message) => {
    const body: unknown = message.body
    // @ts-expect-error nobody knows what it is
    message.body.field
    return body
  })
  connection.on('status', (status: Status) => {
    if (status.state === 'connected') status.failed.map(({ what, name, error }) => [what, name, error.code])
  })
}

t.test('types - the surface holds what the compiler was told of it', async (t) => {
  t.type(typed, 'function')
  t.type(untyped, 'function')
})
