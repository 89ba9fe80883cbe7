/** The first rows behind a cursor, out of any number of rows in any order: those beyond are not kept. */
export class Page<T> {
  readonly #limit: number
  readonly #after: string | undefined
  /** Rows at or above this are beyond the page. */
  #end: string | undefined
  #rows: { readonly cursor: string; readonly thing: T }[] = []

  constructor(limit: number, after: string | undefined) {
    this.#limit = limit
    this.#after = after
  }

  /** `cursor` is the row's own: no two rows have the same. */
  offer(cursor: string, thing: T): void {
    if (this.#after !== undefined && cursor <= this.#after) return
    if (this.#end !== undefined && cursor >= this.#end) return
    this.#rows.push({ cursor, thing })
    if (this.#rows.length >= 2 * this.#limit + 64) this.#cut()
  }

  /** In the order of cursors. `next` is there when there are more. */
  take(): { things: T[]; next: string | undefined } {
    this.#cut()
    const page = this.#rows.slice(0, this.#limit)
    return { things: page.map(({ thing }) => thing), next: this.#rows.length > this.#limit ? page.at(-1)!.cursor : undefined }
  }

  /** Keeps one row more than the page has: it says that there are more. */
  #cut(): void {
    this.#rows.sort((a, b) => (a.cursor < b.cursor ? -1 : 1))
    if (this.#rows.length <= this.#limit) return
    this.#rows.length = this.#limit + 1
    this.#end = this.#rows[this.#limit].cursor
  }
}
