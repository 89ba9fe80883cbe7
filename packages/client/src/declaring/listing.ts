/** A list of what the broker has, page after page, each from where the one before ended. [P-6.7] */
import type { ListItems, ListKind, ResultBodies } from '@waybill/protocol'
import { defined } from '../arguments.js'

const pageCount = 1_000

/** At most `limit` items; `ask` gets the pages. */
export async function listAll<K extends ListKind>(
  ask: (body: object) => Promise<ResultBodies['list']>,
  kind: K,
  prefix: string | undefined,
  limit: number,
): Promise<ListItems[K][]> {
  const items: ListItems[K][] = []
  let after: string | undefined
  do {
    const body = { ...defined({ prefix, after }), kind, limit: Math.min(pageCount, limit - items.length) }
    const page = await ask(body)
    items.push(...(page.items as ListItems[K][]))
    after = page.next
  } while (after !== undefined && items.length < limit)
  return items
}
