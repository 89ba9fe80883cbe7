/**
 * The names of one virtual host: its exchanges, its queues, and the routes that follow from their bindings.
 * Every change of names or bindings makes the known routes void (`routes.bump()`).
 */
import type { Headers } from '@waybill/protocol'
import type { Binding } from './exchanges/matcher.js'
import { Exchange, type ExchangeOptions, type Target } from './exchanges/exchange.js'
import type { Queue } from './queues/queue.js'
import { Refusal } from './refusal.js'
import { type Route, findRoute } from './routing/route.js'
import { RouteCache } from './routing/route-cache.js'

export class VirtualHost {
  readonly name: string
  readonly exchanges = new Map<string, Exchange>()
  readonly queues = new Map<string, Queue>()
  readonly routes: RouteCache<Route>
  /** Bindings of all exchanges. */
  bindingCount = 0
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

  route(exchange: string, key: string, headers: () => Headers): Route {
    return findRoute(this, exchange, key, headers)
  }

  addExchange(name: string, options: ExchangeOptions): Exchange {
    const exchange = new Exchange(name, options)
    this.exchanges.set(name, exchange)
    this.routes.bump()
    return exchange
  }

  /** Takes an exchange away with all bindings from and to it; exchanges that were kept only by those go too. */
  removeExchange(exchange: Exchange): void {
    const work = [exchange]
    for (const gone of work) {
      if (gone.deleted) continue
      gone.deleted = true
      this.exchanges.delete(gone.name)
      for (const target of new Set([...gone.matcher.bindings()].map((binding) => binding.target))) this.#forget(gone, target)
      this.bindingCount -= gone.matcher.size
      work.push(...this.#unbindTarget(gone))
    }
    this.routes.bump()
  }

  addQueue(queue: Queue): void {
    this.queues.set(queue.name, queue)
    this.routes.bump()
  }

  removeQueue(queue: Queue): void {
    this.queues.delete(queue.name)
    for (const unused of this.#unbindTarget(queue)) this.removeExchange(unused)
    this.routes.bump()
  }

  /** Adds a binding; false if it is there already. */
  bind(source: Exchange, binding: Binding<Target>): boolean {
    if (!source.matcher.add(binding)) return false
    this.bindingCount++
    const sources = this.#sources.get(binding.target) ?? new Set()
    this.#sources.set(binding.target, sources.add(source))
    this.routes.bump()
    return true
  }

  /** Takes a binding away; false if there is none. An auto-delete exchange goes with its last one. */
  unbind(source: Exchange, binding: Binding<Target>): boolean {
    if (!source.matcher.remove(binding)) return false
    this.bindingCount--
    if (source.matcher.countOf(binding.target) === 0) this.#forget(source, binding.target)
    this.routes.bump()
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

  #forget(source: Exchange, target: Target): void {
    const sources = this.#sources.get(target)
    if (sources?.delete(source) && sources.size === 0) this.#sources.delete(target)
  }
}
