/**
 * The names of one virtual host: its exchanges, its queues, and the routes that follow from their bindings.
 * Every change of names or bindings makes the known routes void (`routes.bump()`).
 */
import type { Binding } from './exchanges/matcher.js'
import { Exchange, type ExchangeOptions, type Target } from './exchanges/exchange.js'
import { bindingJson, exchangeJson, isKept, queueJson } from './kept.js'
import { type Journal, noJournal } from './journal.js'
import type { Queue } from './queues/queue.js'
import { Refusal } from './refusal.js'
import type { Route } from './routing/route.js'
import { RouteCache } from './routing/route-cache.js'
import { Router } from './routing/router.js'

export class VirtualHost {
  readonly name: string
  readonly exchanges = new Map<string, Exchange>()
  readonly queues = new Map<string, Queue>()
  readonly routes: RouteCache<Route>
  /** Told of every change of what is durable. */
  journal: Journal = noJournal
  /** Bindings of all exchanges. */
  bindingCount = 0
  readonly #router = new Router(this)
  /** The exchanges that a target is bound to. */
  readonly #sources = new Map<Target, Set<Exchange>>()

  /** `seed`: hard to guess, so that nobody can choose routing keys that collide. */
  constructor(name: string, seed: number) {
    this.name = name
    this.routes = new RouteCache<Route>({ seed })
  }

  exchange(name: string): Exchange | undefined {
    return this.exchanges.get(name)
  }

  queue(name: string): Queue | undefined {
    return this.queues.get(name)
  }

  /** Hot. The route of the record at `at`, whose parts are good (`checkRecordParts`), by its names, and by its headers where an exchange asks for them. */
  route(bytes: Uint8Array, at: number): Route {
    const known = this.routes.get(bytes, at)
    if (known !== undefined) return known
    const route = this.#router.route(bytes, at)
    if (!route.dynamic) this.routes.set(bytes, at, route)
    return route
  }

  addExchange(name: string, options: ExchangeOptions): Exchange {
    const exchange = new Exchange(name, options)
    this.exchanges.set(name, exchange)
    if (options.durable) this.journal.changed({ op: 'exchange', vhost: this.name, ...exchangeJson(exchange) })
    this.#changed()
    return exchange
  }

  /** Takes an exchange away with all bindings from and to it; exchanges that were kept only by those go too. */
  removeExchange(exchange: Exchange): void {
    const work = [exchange]
    for (const gone of work) {
      if (gone.deleted) continue
      gone.deleted = true
      this.exchanges.delete(gone.name)
      if (gone.options.durable) this.journal.changed({ op: 'deleteExchange', vhost: this.name, name: gone.name })
      for (const target of new Set([...gone.matcher.bindings()].map((binding) => binding.target))) this.#forget(gone, target)
      this.bindingCount -= gone.matcher.size
      work.push(...this.#unbindTarget(gone))
    }
    this.#changed()
  }

  addQueue(queue: Queue): void {
    this.queues.set(queue.name, queue)
    if (queue.keptId !== 0) this.journal.changed({ op: 'queue', vhost: this.name, ...queueJson(queue) })
    this.#changed()
  }

  removeQueue(queue: Queue): void {
    this.queues.delete(queue.name)
    if (queue.keptId !== 0) this.journal.changed({ op: 'deleteQueue', id: queue.keptId })
    for (const unused of this.#unbindTarget(queue)) this.removeExchange(unused)
    this.#changed()
  }

  /** Adds a binding; false if it is there already. */
  bind(source: Exchange, binding: Binding<Target>): boolean {
    if (!source.matcher.add(binding)) return false
    this.bindingCount++
    const sources = this.#sources.get(binding.target) ?? new Set()
    this.#sources.set(binding.target, sources.add(source))
    if (isKept(source, binding.target)) this.journal.changed({ op: 'bind', vhost: this.name, ...bindingJson(source, binding) })
    this.#changed()
    return true
  }

  /** Takes a binding away; false if there is none. An auto-delete exchange goes with its last one. */
  unbind(source: Exchange, binding: Binding<Target>): boolean {
    if (!source.matcher.remove(binding)) return false
    this.bindingCount--
    if (source.matcher.countOf(binding.target) === 0) this.#forget(source, binding.target)
    if (isKept(source, binding.target)) this.journal.changed({ op: 'unbind', vhost: this.name, ...bindingJson(source, binding) })
    this.#changed()
    if (source.options.autoDelete && source.matcher.size === 0) this.removeExchange(source)
    return true
  }

  /** How many bindings lead to a target. */
  bindingsTo(target: Target): number {
    let count = 0
    for (const source of this.#sources.get(target) ?? []) count += source.matcher.countOf(target)
    return count
  }

  expectExchange(name: string): Exchange | Refusal {
    if (name === '') return new Refusal('forbidden', 'the default exchange cannot be changed: every queue is bound to it by its name')
    return this.exchanges.get(name) ?? new Refusal('notFound', `no exchange '${name}' in virtual host '${this.name}'; declare it first`)
  }

  /** Takes away all bindings to a target; returns the auto-delete exchanges that have none left. */
  #unbindTarget(target: Target): Exchange[] {
    const unused: Exchange[] = []
    for (const source of this.#sources.get(target) ?? []) {
      this.bindingCount -= source.matcher.removeTarget(target)
      if (source.options.autoDelete && source.matcher.size === 0) unused.push(source)
    }
    this.#sources.delete(target)
    return unused
  }

  /** Names or bindings are others now: no route that was known holds. */
  #changed(): void {
    this.routes.bump()
    this.#router.forget()
  }

  #forget(source: Exchange, target: Target): void {
    const sources = this.#sources.get(target)
    if (sources?.delete(source) && sources.size === 0) this.#sources.delete(target)
  }
}
