/**
 * What the broker may have of its durable names after its process has ended: they as they were at some moment since the last one that is surely kept.
 *
 *     safe ──┬── declared ──┬── bound ──┬── deleted ──┬── now           one of these, whole
 */
import type { DurableHost, DurableState } from '../../broker/durable.js'
import { fail } from '../failure.js'
import { jsonValueText } from './frames.js'
import type { ExpectedBinding, ExpectedExchange, ExpectedNames } from './names.js'
import type { ExpectedQueue } from './queue.js'

interface Moment {
  readonly stamp: number
  readonly text: string
  readonly exchanges: readonly ExpectedExchange[]
  readonly queues: readonly ExpectedQueue[]
  readonly bindings: readonly ExpectedBinding[]
}

export class KeptNames {
  #moments: Moment[] = [{ stamp: 0, text: textOf([], [], []), exchanges: [], queues: [], bindings: [] }]
  #version = 0
  /** All that ever were, by their numbers. */
  readonly #queues = new Map<number, ExpectedQueue>()
  readonly #ever = new Set<ExpectedQueue>()

  /** The names are so now. */
  note(names: ExpectedNames, stamp: number): void {
    if (names.version === this.#version) return
    this.#version = names.version
    const exchanges = [...names.exchanges.values()].filter(({ durable }) => durable)
    const queues = [...names.queues.values()].filter((queue) => queue.isKept)
    const has = ({ kind, target }: ExpectedBinding): boolean =>
      kind === 'queue' ? names.queues.get(target)!.isKept : names.exchanges.get(target)!.durable
    const bindings = names.bindings.filter((binding) => names.exchanges.get(binding.source)!.durable && has(binding))
    const text = textOf(
      exchanges,
      queues.map(({ name, options }) => ({ name, ...options })),
      bindings,
    )
    for (const queue of queues) this.#ever.add(queue)
    this.#moments.push({ stamp, text, exchanges, queues, bindings })
  }

  /** The broker has given a queue its number. */
  numbered(queue: ExpectedQueue, id: number): void {
    queue.keptId = id
    this.#queues.set(id, queue)
  }

  /** Everything up to here is kept. */
  safeThrough(stamp: number): void {
    let first = this.#moments.length - 1
    while (first > 0 && this.#moments[first]!.stamp > stamp) first--
    if (first > 0) this.#moments.splice(0, first)
  }

  /** The names are again as they were at the moment that the broker goes on with. Returns the queues of then. */
  restore(names: ExpectedNames, state: DurableState, safeThrough: number): readonly ExpectedQueue[] {
    this.safeThrough(safeThrough)
    const { host, bindings } = hostOf(state)
    const text = textOf(host.exchanges, host.queues, bindings)
    const ids = new Map(host.queues.map(({ id, name }) => [name, id]))
    // One whose number was not seen yet is not one of the same name that was there before.
    const isSame = (queue: ExpectedQueue): boolean => {
      const id = ids.get(queue.name)!
      return queue.keptId === undefined ? !this.#queues.has(id) : queue.keptId === id
    }
    const i = this.#moments.findLastIndex((each) => each.text === text && each.queues.every(isSame))
    if (i < 0) {
      const last = this.#moments[this.#moments.length - 1]!
      fail('names', `after a restart there is\n${text}\n, of ${this.#moments.length} possible states; the last was\n${last.text}`)
    }
    this.#moments.length = i + 1
    // Numbers that nothing on the disk has used are given out again.
    for (const id of this.#queues.keys()) if (id >= state.nextQueueId) this.#queues.delete(id)
    const { exchanges, queues, bindings: bound } = this.#moments[i]!
    for (const queue of queues) this.numbered(queue, ids.get(queue.name)!)
    names.restore(exchanges, queues, bound)
    this.#version = names.version
    return queues
  }

  /** After damage: what the broker still has is what there is, as long as there was ever such a thing. */
  salvage(names: ExpectedNames, state: DurableState): readonly ExpectedQueue[] {
    const { host, bindings } = hostOf(state)
    const queues = host.queues.map(({ id, name, autoDelete, expiresMs }) => {
      const known = this.#queues.get(id) ?? [...this.#ever].findLast((queue) => queue.name === name)
      if (known === undefined) fail('invented', `after damage there is a queue '${name}', which never was`)
      const queue = known.options.autoDelete === autoDelete && known.options.expiresMs === expiresMs ? known : undefined
      return queue ?? fail('invented', `after damage queue '${name}' has other options`)
    })
    const exchanges = host.exchanges.map((exchange) => ({ ...exchange, durable: true, alternate: exchange.alternate }))
    const there = new Set([...exchanges.map(({ name }) => `exchange ${name}`), ...queues.map(({ name }) => `queue ${name}`)])
    const whole = bindings.filter(({ source, kind, target }) => there.has(`exchange ${source}`) && there.has(`${kind} ${target}`))
    names.restore(exchanges, queues, whole)
    this.#version = names.version - 1
    this.#moments = []
    this.note(names, 0)
    return queues
  }
}

function hostOf(state: DurableState): { readonly host: Omit<DurableHost, 'name'>; readonly bindings: readonly ExpectedBinding[] } {
  const host = state.hosts.find(({ name }) => name === 'default') ?? { exchanges: [], queues: [], bindings: [] }
  const bindings = host.bindings.map(({ source, target, key, headers, match }) => ({
    source,
    kind: 'queue' in target ? ('queue' as const) : ('exchange' as const),
    target: 'queue' in target ? target.queue : target.exchange,
    key,
    headers: new Map(Object.entries(headers ?? {}).map(([name, value]) => [name, jsonValueText(value)])),
    match: match ?? ('all' as const),
  }))
  return { host, bindings }
}

interface Named {
  readonly name: string
  readonly autoDelete: boolean
}

interface Exchange extends Named {
  readonly type: string
  readonly internal: boolean
  readonly alternate?: string | undefined
}

interface Queue extends Named {
  readonly expiresMs?: number | undefined
}

function textOf(exchanges: readonly Exchange[], queues: readonly Queue[], bindings: readonly ExpectedBinding[]): string {
  return [
    ...exchanges.map(
      ({ name, type, autoDelete, internal, alternate }) => `exchange ${name} ${type} ${autoDelete} ${internal} ${alternate ?? '-'}`,
    ),
    ...queues.map(({ name, autoDelete, expiresMs }) => `queue ${name} ${autoDelete} ${expiresMs ?? '-'}`),
    ...bindings.map(
      ({ source, kind, target, key, headers, match }) =>
        `bind ${JSON.stringify([source, kind, target, key, match, [...headers].sort(([a], [b]) => (a < b ? -1 : 1))])}`,
    ),
  ]
    .sort()
    .join('\n')
}
