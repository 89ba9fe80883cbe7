/** A broker core with a receiver that writes down what it is given: commands in, deliveries out, on a clock that the test turns. */
import { encodeName, type Headers, encodeMeta, recordSizeOf, writeRecord } from '@waybill/protocol'
import { Broker } from '../../dist/broker/broker.js'
import type { Consumer, ConsumerOptions, Receiver } from '../../dist/broker/queues/consumer.js'
import type { Page } from '../../dist/broker/queues/page.js'
import type { Queue, QueueOptions } from '../../dist/broker/queues/queue.js'
import { Refusal } from '../../dist/broker/refusal.js'
import type { Timed } from '../../dist/broker/timers/timed.js'
import { TimerWheel } from '../../dist/broker/timers/wheel.js'
import type { Asker } from '../../dist/broker/topology.js'

export interface Delivery {
  readonly consumer: Consumer
  readonly place: number
  readonly size: number
  readonly id: number
  readonly body: string
  readonly deliveryCount: number
  readonly failureCount: number
  readonly redelivered: boolean
}

const limits = { queueCount: 1_000, exchangeCount: 1_000, bindingCount: 10_000, queueConsumerCount: 100 }

export class BrokerRecorder implements Receiver {
  readonly timers = new TimerWheel<Timed>(1_000)
  now = 1_000
  readonly broker = new Broker({
    virtualHosts: ['default', 'other'],
    limits,
    timers: this.timers,
    entropy: { random: () => 0.5, name: (size) => 'n'.repeat(size) },
    now: this.now,
  })
  readonly host = this.broker.virtualHosts.get('default')!
  readonly asker: Asker = { host: this.host, connection: 7 }
  deliveries: Delivery[] = []
  readonly endings: string[] = []
  readonly gets: string[] = []

  queue(name: string, options: Partial<QueueOptions> = {}, owner = 0): Queue {
    return this.broker.makeQueue(
      this.host,
      name,
      { durable: false, exclusive: false, autoDelete: false, expiresMs: undefined, ...options },
      owner,
    )
  }

  consume(queue: string, options: Partial<ConsumerOptions> = {}): Consumer {
    const consumer = this.tryConsume(queue, options)
    if (consumer instanceof Refusal) throw new Error(consumer.message)
    return consumer
  }

  tryConsume(queue: string, options: Partial<ConsumerOptions> = {}): Consumer | Refusal {
    const all = {
      id: 1,
      ack: 'manual' as const,
      prefetch: 100,
      prefetchSize: 1 << 20,
      exclusive: false,
      priority: 0,
      once: false,
      ...options,
    }
    return this.broker.consume(this.host, 7, queue, this, all)
  }

  /** Publishes a message; returns how many queues took it. */
  publish(exchange: string, key: string, body: string, headers?: Headers, persistent = false): number {
    const meta = headers === undefined ? undefined : encodeMeta(undefined, headers)
    const content = Buffer.from(body)
    const names = [encodeName(exchange), encodeName(key)] as const
    const bytes = Buffer.alloc(recordSizeOf(...names, meta, content.length))
    writeRecord(bytes, 0, ...names, meta, persistent, content, 0, content.length)
    const { slabs } = this.broker
    slabs.append(bytes, 0, bytes.length)
    const route = this.host.route(slabs.buffer(slabs.slab), slabs.offset)
    this.broker.enqueue(route, slabs.slab, slabs.offset, Uint32Array.of(bytes.length), 0, 1, bytes.length, persistent)
    slabs.settle(slabs.slab)
    return route.queues.length
  }

  /** What is delivered by a turn after `ms` have passed. */
  turn(ms = 0): Delivery[] {
    this.deliveries = []
    this.now += ms
    this.broker.now = this.now
    this.timers.advance(this.now, { due: (owner, value) => owner.due(value, this.now) })
    this.broker.dispatch()
    this.broker.invariants()
    return this.deliveries
  }

  /** Hands out what one queue has, now. */
  handOut(queue: Queue): void {
    this.broker.dispatchQueue(queue)
  }

  bodies(ms = 0): string[] {
    return this.turn(ms).map(({ body }) => body)
  }

  settle({ consumer, place, size }: Delivery, outcome: number, delayMs = -1): void {
    this.broker.settle(consumer, place, size, outcome, delayMs)
  }

  deliver(
    consumer: Consumer,
    firstPlace: number,
    count: number,
    page: Page,
    index: number,
    slab: number,
    firstOffset: number,
    runSize: number,
    firstId: number,
    meta: number,
  ): void {
    const bytes = this.broker.slabs.buffer(slab)
    let offset = firstOffset
    for (let n = 0; n < count; n++) {
      const size = page.words[((index + n) << 2) + 2]!
      const body = offset + 16 + bytes[offset + 6]! + bytes[offset + 7]! + bytes.readUInt16BE(offset + 12) + bytes.readUInt16BE(offset + 14)
      this.deliveries.push({
        consumer,
        place: firstPlace + n,
        size,
        id: firstId + n,
        body: bytes.toString('utf8', body, offset + size),
        deliveryCount: meta & 0xfff,
        failureCount: (meta >>> 12) & 0xfff,
        redelivered: (meta & (1 << 25)) !== 0,
      })
      offset += size
    }
    if (offset !== firstOffset + runSize) throw new Error('the sizes of a run add up to its size')
  }

  ended(consumer: Consumer, reason: string): void {
    this.endings.push(`${consumer.id} ${reason}`)
  }

  got(consumer: Consumer, found: boolean): void {
    this.gets.push(`${consumer.id} ${found}`)
  }
}
