/** How often each kind of thing has happened. */
export class Tally {
  readonly #counts = new Map<string, number>()

  count(kind: string, by = 1): void {
    this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + by)
  }

  of(kind: string): number {
    return this.#counts.get(kind) ?? 0
  }

  add(other: Tally): void {
    for (const [kind, count] of other.entries()) this.count(kind, count)
  }

  /** By name. */
  entries(): readonly (readonly [string, number])[] {
    return [...this.#counts].sort(([a], [b]) => (a < b ? -1 : 1))
  }
}
