/**
 * Things of one kind as a table; its columns are the fields that any of them has, in the order in which they come. What is
 * 0 or false in every row has no column but one line for all, so that a table of counters is no wider than what happened.
 *
 *     queue   messageCount  consumerCount
 *     emails             3              1
 *     images             0              0
 *     0 or false: durable, exclusive, rejectedCount
 */
import { escapeText } from './escape.js'

const cellLengthMax = 48

export function tableLines(items: readonly unknown[]): string[] {
  const rows = items.map((item) => (typeof item === 'object' && item !== null ? (item as Record<string, unknown>) : { value: item }))
  const fields = [...new Set(rows.flatMap((row) => Object.keys(row)))]
  const columns = fields.filter((field) => rows.some((row) => !isNought(row[field])))
  const noughts = fields.filter((field) => !columns.includes(field) && rows.some((row) => row[field] !== undefined))
  const lines = columns.length === 0 ? [] : alignedLines(rows, columns)
  return noughts.length === 0 ? lines : [...lines, `0 or false: ${noughts.map(escapeText).join(', ')}`]
}

function isNought(value: unknown): boolean {
  return value === 0 || value === false || value === undefined
}

function alignedLines(rows: readonly Record<string, unknown>[], columns: readonly string[]): string[] {
  const cells = [columns.map(escapeText), ...rows.map((row) => columns.map((column) => cell(row[column])))]
  const widths = columns.map((_, i) => Math.max(...cells.map((line) => line[i].length)))
  const numeric = columns.map((column) => rows.every((row) => row[column] === undefined || typeof row[column] === 'number'))
  return cells.map((line) =>
    line
      .map((text, i) => (numeric[i] ? text.padStart(widths[i]) : text.padEnd(widths[i])))
      .join('  ')
      .trimEnd(),
  )
}

function cell(value: unknown): string {
  if (value === undefined) return ''
  if (value === '') return '""'
  const text = escapeText(typeof value === 'string' ? value : JSON.stringify(value))
  return text.length > cellLengthMax ? `${text.slice(0, cellLengthMax - 1)}…` : text
}
