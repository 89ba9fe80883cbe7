/**
 * The broker and the naive broker of arrays, given the same commands. Whatever the one answers, the other must have answered; whatever
 * the one delivers, the other must allow; and what the other still owes, the one must have given.
 */
import assert from 'node:assert'
import { encodeMeta, encodeName, ErrorCode, type Headers, Outcome, recordSizeOf, writeRecord } from '@waybill/protocol'
import type { ExchangeOptions } from '../../../dist/broker/exchanges/exchange.js'
import type { Consumer } from '../../../dist/broker/queues/consumer.js'
import type { QueueOptions } from '../../../dist/broker/queues/queue.js'
import { Refusal } from '../../../dist/broker/refusal.js'
import * as topology from '../../../dist/broker/topology.js'
import { NaiveBroker, type NaiveDelivery } from '../naive-broker.js'
import type { BindingOptions } from '../naive-topology.js'
import { BrokerRecorder } from '../recorder.js'

interface Held {
  readonly consumer: Consumer
  readonly place: number
  readonly size: number
  isSettled: boolean
}

/** A channel as the broker's core sees one: who consumes on it, and what it holds. */
interface Channel {
  readonly id: number
  readonly connection: number
  readonly consumers: Consumer[]
  readonly gets: Map<Consumer, number>
  /** By tag, from 1. */
  readonly held: Held[]
}

export class SideBySide {
  readonly real: BrokerRecorder
  readonly naive = new NaiveBroker({ queueName: () => `wb.${'n'.repeat(20)}` })
  readonly channels: Channel[] = []
  readonly #channelOf = new Map<Consumer, Channel>()
  #nextConsumer = 1
  #endingCount = 0
  #gotCount = 0
  #published = 0

  constructor(real = new BrokerRecorder()) {
    this.real = real
    this.naive.now = this.real.now
  }

  /** A connection with one channel more. */
  open(connection = this.naive.connect()): Channel {
    const channel = { id: this.naive.open(connection), connection, consumers: [], gets: new Map(), held: [] }
    this.channels.push(channel)
    return channel
  }

  close(channel: Channel): void {
    this.naive.close(channel.id)
    this.channels.splice(this.channels.indexOf(channel), 1)
    for (const get of channel.gets.keys()) this.real.broker.cancel(get)
    for (const consumer of channel.consumers) this.real.broker.cancel(consumer)
    for (const held of channel.held) this.#settle(held, Outcome.requeue, -1)
  }

  disconnect(connection: number): void {
    for (const channel of this.channels.filter((each) => each.connection === connection)) this.close(channel)
    this.naive.disconnect(connection)
    this.real.broker.connectionClosed(connection)
  }

  // ─── names ──────────────────────────────────────────────────────────────

  declareExchange(channel: Channel, name: string, options: ExchangeOptions): void {
    const { broker } = this.real
    const naive = this.naive.topology.declare(name, { ...options, ...defined(options.alternate) })
    this.#same(topology.declareExchange(broker, this.#asker(channel), name, options), naive)
  }

  deleteExchange(channel: Channel, name: string, ifUnused: boolean): void {
    this.#same(topology.deleteExchange(this.#asker(channel), name, ifUnused), this.naive.topology.delete(name, { ifUnused }))
  }

  declareQueue(channel: Channel, name: string, options: QueueOptions): void {
    this.#same(
      topology.declareQueue(this.real.broker, this.#asker(channel), name, options),
      this.naive.declareQueue(channel.id, name, options),
    )
  }

  checkQueue(channel: Channel, name: string): void {
    this.#same(topology.checkQueue(this.real.broker, this.#asker(channel), name), this.naive.checkQueue(channel.id, name))
  }

  deleteQueue(channel: Channel, name: string, conditions: { ifUnused: boolean; ifEmpty: boolean }): void {
    const naive = this.naive.deleteQueue(channel.id, name, conditions)
    this.#same(topology.deleteQueue(this.real.broker, this.#asker(channel), name, conditions), naive)
  }

  purgeQueue(channel: Channel, name: string): void {
    this.#same(topology.purgeQueue(this.real.broker, this.#asker(channel), name), this.naive.purgeQueue(channel.id, name))
  }

  bind(channel: Channel, source: string, target: { queue: string } | { exchange: string }, options: BindingOptions, undo: boolean): void {
    const { key = '', headers, match } = options
    const request = { source, target, key, headers, match }
    const change = undo ? topology.unbind : topology.bind
    const naive =
      'queue' in target
        ? this.naive[undo ? 'unbindQueue' : 'bindQueue'](channel.id, target.queue, source, options)
        : this.naive.topology[undo ? 'unbind' : 'bind'](source, { kind: 'exchange', name: target.exchange }, options)
    const real = change(this.real.broker, this.#asker(channel), request)
    // Both ends may be wrong: which is said first is nobody's business.
    if (real instanceof Refusal) assert('error' in naive, real.message)
    else this.#same(real, naive)
  }

  // ─── messages ───────────────────────────────────────────────────────────

  publish(exchange: string, key: string, bodySize: number, headers: Headers | undefined, persistent = false): void {
    const { broker, host } = this.real
    const names = [encodeName(exchange), encodeName(key)] as const
    const meta = headers === undefined ? undefined : encodeMeta(undefined, headers)
    const body = Buffer.alloc(bodySize, `${++this.#published} `)
    const bytes = Buffer.alloc(recordSizeOf(...names, meta, bodySize))
    writeRecord(bytes, 0, ...names, meta, persistent, body, 0, bodySize)
    const { slabs } = broker
    slabs.append(bytes, 0, bytes.length)
    const route = host.route(slabs.buffer(slabs.slab), slabs.offset)
    const [naive] = this.naive.publish([{ exchange, key, size: bytes.length, ...(headers === undefined ? {} : { headers }) }])
    if ('error' in naive!) assert.equal(route.refusal, ErrorCode[naive.error as keyof typeof ErrorCode].code)
    else {
      assert.equal(route.refusal, 0)
      assert.deepEqual(route.queues.map(({ name }) => name).sort(), [...naive!.queues].sort())
      assert.equal(broker.enqueue(route, slabs.slab, slabs.offset, Uint32Array.of(bytes.length), 0, 1, bytes.length, persistent), naive!.id)
    }
    slabs.settle(slabs.slab)
  }

  consume(
    channel: Channel,
    queue: string,
    options: { ack: 'manual' | 'none'; prefetch: number; prefetchSize: number; exclusive: boolean; priority: number },
  ): void {
    const id = this.#nextConsumer++
    const { broker, host } = this.real
    const consumer = broker.consume(host, channel.connection, queue, this.real, { ...options, id, once: false })
    this.#same(consumer instanceof Refusal ? consumer : {}, this.naive.consume(channel.id, id, queue, options))
    if (consumer instanceof Refusal) return
    channel.consumers.push(consumer)
    this.#channelOf.set(consumer, channel)
  }

  cancel(channel: Channel, consumer: Consumer): void {
    const unsettledCount = channel.held.filter((each) => each.consumer === consumer && !each.isSettled).length
    const naive = this.naive.cancel(channel.id, consumer.id)
    channel.consumers.splice(channel.consumers.indexOf(consumer), 1)
    // A consumer whose queue has been deleted is not there any more.
    if (consumer.ended) assert('error' in naive)
    else this.#same({ unsettledCount }, naive)
    this.real.broker.cancel(consumer)
  }

  window(channel: Channel, consumer: Consumer, prefetch: number, prefetchSize: number): void {
    this.naive.window(channel.id, consumer.id, prefetch, prefetchSize)
    consumer.prefetch = prefetch
    consumer.prefetchSize = prefetchSize
    if (!consumer.ended) consumer.queue.wake()
  }

  get(channel: Channel, queueName: string, ack: 'manual' | 'none', waitMs: number): void {
    const id = this.#nextConsumer++
    const { broker, host } = this.real
    const once = { id, ack, prefetch: 1, prefetchSize: 1, exclusive: false, priority: 0, once: true }
    const consumer = broker.consume(host, channel.connection, queueName, this.real, once)
    this.#same(consumer instanceof Refusal ? consumer : {}, this.naive.get(channel.id, id, queueName, { ack, waitMs }))
    if (consumer instanceof Refusal) return
    this.#channelOf.set(consumer, channel)
    channel.gets.set(consumer, this.real.now + waitMs)
    if (waitMs > 0) return
    this.real.deliveries = []
    this.real.handOut(host.queue(queueName)!)
    this.#compareDeliveries()
    this.#giveUp(channel)
  }

  /** Settles a range of tags, which may reach beyond what was delivered. */
  settle(
    channel: Channel,
    first: number,
    count: number,
    outcome: 'ack' | 'requeue' | 'retry' | 'reject',
    delayMs: number | undefined,
  ): void {
    const naive = this.naive.settle(channel.id, first, count, outcome, delayMs)
    if (first < 1 || first + count - 1 > channel.held.length) {
      assert.deepEqual(naive, { error: 'tagUnknown' })
      return
    }
    assert.deepEqual(naive, {})
    for (const held of channel.held.slice(first - 1, first - 1 + count)) this.#settle(held, Outcome[outcome], delayMs ?? -1)
  }

  /** Time passes, and what is ready is handed out. */
  turn(ms: number): void {
    this.naive.advance(this.real.now + ms)
    this.real.turn(ms)
    this.#compareDeliveries()
    for (const channel of this.channels) this.#giveUp(channel)
    assert.deepEqual(this.naive.owed(), [], 'nobody waits who has room for what is ready')
  }

  /** Both have told the same, hold the same, and hold together. */
  compare(): void {
    const { broker, host } = this.real
    this.#compareEvents()
    broker.invariants()
    this.naive.invariants()
    assert.deepEqual([...host.queues.keys()].sort(), this.naive.queues.map(({ name }) => name).sort())
    assert.deepEqual([...host.exchanges.keys()].sort(), this.naive.topology.exchanges.map(({ name }) => name).sort())
    assert.equal(host.bindingCount, this.naive.topology.bindings.length)
    for (const { name, entries, consumers, rejectedCount } of this.naive.queues) {
      const queue = host.queue(name)!
      const of = (state: string): number => entries.filter((entry) => entry.state === state).length
      const counts = {
        ready: queue.readyCount,
        unsettled: queue.unsettledCount,
        delayed: queue.delayedCount,
        consumers: queue.consumers.size,
      }
      assert.deepEqual(
        counts,
        { ready: of('ready'), unsettled: of('unsettled'), delayed: of('delayed'), consumers: consumers.length },
        name,
      )
      assert.equal(queue.counters.rejected, rejectedCount)
      assert.equal(
        queue.liveSize,
        entries.reduce((sum, { size }) => sum + size, 0),
      )
    }
  }

  // ─── within ─────────────────────────────────────────────────────────────

  #asker({ connection }: Channel): topology.Asker {
    return { host: this.real.host, connection }
  }

  #same(real: object, naive: object): void {
    const said = real instanceof Refusal ? { error: real.name, ...defined(real.details?.differences, 'differences') } : real
    for (const [field, value] of Object.entries(naive)) {
      if (field === 'differences') assert.equal((said as { differences: unknown[] }).differences.length, (value as unknown[]).length)
      else assert.deepEqual((said as Record<string, unknown>)[field], value, `${field} of ${JSON.stringify(said)}`)
    }
    assert.equal('error' in said, 'error' in naive, JSON.stringify([said, naive]))
  }

  #settle(held: Held, outcome: number, delayMs: number): void {
    if (held.isSettled) return
    held.isSettled = true
    this.real.broker.settle(held.consumer, held.place, held.size, outcome, delayMs)
  }

  #compareDeliveries(): void {
    for (const { consumer, place, size, id, redelivered, deliveryCount, failureCount } of this.real.deliveries) {
      const channel = this.#channelOf.get(consumer)!
      const held = { consumer, place, size, isSettled: false }
      channel.held.push(held)
      const said: Partial<NaiveDelivery> = {
        messageId: id,
        redelivered,
        deliveryCount,
        failureCount,
        tag: channel.held.length,
        queue: consumer.queue.name,
      }
      this.naive.delivered({ ...said, channel: channel.id, consumer: consumer.id })
    }
    this.real.deliveries = []
  }

  /** `get`s whose time is over have found nothing. */
  #giveUp(channel: Channel): void {
    for (const [get, until] of channel.gets) {
      if (get.ended || until > this.real.now) continue
      this.real.broker.cancel(get)
      this.real.gets.push(`${get.id} false`)
      this.naive.gotNothing(channel.id, get.id)
    }
  }

  /** What has been told to others since the last time. */
  #compareEvents(): void {
    const naive = this.naive
      .takeEvents()
      .map((event) => (event.event === 'got' ? `${event.consumer} ${event.found}` : `${event.consumer} ${event.reason}`))
    const real = [...this.real.endings.slice(this.#endingCount), ...this.real.gets.slice(this.#gotCount)]
    assert.deepEqual(real.sort(), naive.sort())
    this.#endingCount = this.real.endings.length
    this.#gotCount = this.real.gets.length
    for (const channel of this.channels) for (const get of channel.gets.keys()) if (get.ended) channel.gets.delete(get)
  }
}

function defined(value: unknown, name = 'alternate'): object {
  return value === undefined ? {} : { [name]: value }
}
