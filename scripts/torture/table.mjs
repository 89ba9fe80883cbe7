/** What a run has shown, a row for each fault. */
import { problemKinds } from './ledger.mjs'

const columns = ['times', 'confirmed', 'delivered', ...problemKinds, 'restart ms', 'seconds']

/** Rows of the same fault become one. */
export function total(rows) {
  const sums = new Map()
  for (const row of rows) {
    const before = sums.get(row.name)
    const figures = figuresOf(row)
    sums.set(row.name, before === undefined || row.skipped !== undefined ? figures : added(before, figures))
  }
  return [...sums.values()]
}

/** A heading, and a line each. */
export function tableLines(rows) {
  const figures = rows.map((row) => (row.values === undefined ? figuresOf(row) : row))
  const width = Math.max(24, ...figures.map(({ name }) => name.length))
  const heading = [''.padEnd(width), ...columns.map((column) => column.padStart(widthOf(column)))].join('  ')
  return [heading, ...figures.map((row) => line(row, width))]
}

function line({ name, skipped, values }, width) {
  if (skipped !== undefined) return `${name.padEnd(width)}  skipped: ${skipped}`
  return [name.padEnd(width), ...columns.map((column) => said(values[column]).padStart(widthOf(column)))].join('  ')
}

function figuresOf({ name, skipped, times, ledger, restartMs = [], ms }) {
  if (skipped !== undefined) return { name, skipped, values: {} }
  const values = {
    times,
    confirmed: ledger.confirmedCount,
    delivered: ledger.deliveredCount,
    ...ledger.counts,
    'restart ms': restartMs.length === 0 ? undefined : Math.max(...restartMs),
    seconds: ms / 1_000,
  }
  return { name, values, isGood: ledger.isGood }
}

function added(one, other) {
  const values = {}
  for (const column of columns) {
    const [a, b] = [one.values[column], other.values[column]]
    values[column] = column === 'restart ms' ? Math.max(a ?? 0, b ?? 0) || undefined : a + b
  }
  return { name: one.name, values, isGood: one.isGood && other.isGood }
}

function said(value) {
  return value === undefined ? '-' : Math.round(value).toLocaleString('en')
}

function widthOf(column) {
  return Math.max(column.length, column === 'confirmed' || column === 'delivered' ? 11 : 4)
}
