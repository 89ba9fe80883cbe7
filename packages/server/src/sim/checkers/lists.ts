/**
 * What LIST must say: everything there is, by name and in order. It is answered at once or at the beginning of a later turn, and what
 * it says is as of then; a turn's timers may change names before or after. Queues that expire are not looked at. [P-6.7]
 */
import type { ExpectedNames } from './names.js'
import type { Json } from './requests.js'

export class ExpectedList {
  readonly #query: Json
  /** As of the request, and as of the beginning of this turn. */
  readonly #asked: readonly string[] | undefined
  #before: readonly string[] | undefined

  constructor(query: Json, names: ExpectedNames) {
    this.#query = query
    this.#asked = this.#names(names)
  }

  turnBegins(names: ExpectedNames): void {
    this.#before = this.#names(names)
  }

  /** What is wrong with the answer, or undefined. */
  test({ items }: Json, names: ExpectedNames): string | undefined {
    const now = this.#names(names)
    if (now === undefined) return undefined
    const field = this.#query.kind === 'queues' ? 'queue' : 'exchange'
    if ((items as Json[]).length === this.#query.limit) return undefined
    const found = JSON.stringify((items as Json[]).filter(({ expiresMs }) => expiresMs === undefined).map((item) => item[field]))
    const isRight = [now, this.#before, this.#asked].some((names) => found === JSON.stringify(names))
    return isRight ? undefined : `${now.length} items: ${now.join(', ')}`
  }

  #names({ queues, exchanges }: ExpectedNames): readonly string[] | undefined {
    const { kind, after, prefix = '', limit = 100 } = this.#query
    if (kind !== 'queues' && kind !== 'exchanges') return undefined
    const all =
      kind === 'exchanges'
        ? [...exchanges.keys()]
        : [...queues.values()].filter((queue) => queue.options.expiresMs === undefined).map(({ name }) => name)
    const wanted = all.filter((name) => (after === undefined || name > (after as string)) && name.startsWith(prefix as string))
    return wanted.sort().slice(0, limit as number)
  }
}
