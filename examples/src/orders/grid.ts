/** The grid of keys against queues, as lines of text; the last row is the sum of each column. */
import { type QueueName, queueNames } from './orders.js'
import type { Grid } from './trade.js'

const keyWidth = 20
const columnWidth = 10

export function printed(grid: Grid): string[] {
  const row = (name: string, cells: readonly (string | number)[]) =>
    name.padEnd(keyWidth) + cells.map((cell) => String(cell).padStart(columnWidth)).join('')
  const keys = [...grid.keys()].sort()
  return [
    row('', queueNames),
    ...keys.map((key) =>
      row(
        key,
        queueNames.map((queue) => grid.get(key)![queue] || '.'),
      ),
    ),
    row(
      'all',
      queueNames.map((queue) => total(grid, queue)),
    ),
  ]
}

export function total(grid: Grid, queue: QueueName): number {
  return [...grid.values()].reduce((sum, row) => sum + row[queue], 0)
}
