/**
 * Compares what was said with what a transcript expects. Placeholders stand for whole values:
 *
 *     "<any>"   any value        "<maybe>"   any value, or none        "<log>"   any value at first, the same one from then on
 */
export type Bindings = Map<string, unknown>

const placeholder = /^<([a-zA-Z][a-zA-Z0-9]*)>$/

/** Undefined when it matches, else where and why not. Bindings that were made on the way stay only when it matches. */
export function mismatch(expected: unknown, actual: unknown, bindings: Bindings): string | undefined {
  const made: Bindings = new Map()
  const found = differ(expected, actual, '', bindings, made)
  if (found === undefined) for (const [name, value] of made) bindings.set(name, value)
  return found
}

function differ(expected: unknown, actual: unknown, path: string, known: Bindings, made: Bindings): string | undefined {
  const name = placeholderOf(expected)
  if (name !== undefined) {
    if (name === 'maybe' || (name === 'any' && actual !== undefined)) return undefined
    if (actual === undefined) return `${path || 'it'} is missing`
    const bound = made.has(name) ? made : known
    if (bound.has(name)) return differ(bound.get(name), actual, path, known, made)
    made.set(name, actual)
    return undefined
  }
  if (Array.isArray(expected)) {
    if (!Array.isArray(actual)) return say(path, expected, actual)
    if (expected.length !== actual.length) return `${path} has ${actual.length} entries, not ${expected.length}: ${JSON.stringify(actual)}`
    return first(expected.keys(), (i) => differ(expected[i], actual[i], `${path}[${i}]`, known, made))
  }
  if (typeof expected === 'object' && expected !== null) {
    if (typeof actual !== 'object' || actual === null || Array.isArray(actual)) return say(path, expected, actual)
    const wanted = expected as Record<string, unknown>
    const there = actual as Record<string, unknown>
    const extra = Object.keys(there).find((key) => there[key] !== undefined && !Object.hasOwn(wanted, key))
    if (extra !== undefined) return `${path}.${extra} is there and was not expected: ${JSON.stringify(there[extra])}`
    return first(Object.keys(wanted), (key) => differ(wanted[key], own(there, key), `${path}.${key}`, known, made))
  }
  return Object.is(expected, actual) ? undefined : say(path, expected, actual)
}

function own(object: Record<string, unknown>, key: string): unknown {
  return Object.hasOwn(object, key) ? object[key] : undefined
}

function first<T>(of: Iterable<T>, check: (each: T) => string | undefined): string | undefined {
  for (const each of of) {
    const found = check(each)
    if (found !== undefined) return found
  }
  return undefined
}

function say(path: string, expected: unknown, actual: unknown): string {
  return `${path || 'it'} is ${JSON.stringify(actual)}, not ${JSON.stringify(expected)}`
}

function placeholderOf(value: unknown): string | undefined {
  return typeof value === 'string' ? placeholder.exec(value)?.[1] : undefined
}

/**
 * What is to be sent, with values in the place of placeholders: those that are bound, else those of `values`, which are bound by it.
 * `<maybe>` is left out. A name that has no value is a mistake of the transcript.
 */
export function substitute(value: unknown, bindings: Bindings, values: Readonly<Record<string, unknown>>): unknown {
  const name = placeholderOf(value)
  if (name !== undefined) {
    if (!bindings.has(name)) {
      if (!Object.hasOwn(values, name)) throw new Error(`the transcript has no value for <${name}>`)
      bindings.set(name, values[name])
    }
    return bindings.get(name)
  }
  if (Array.isArray(value)) return value.map((each) => substitute(each, bindings, values))
  if (typeof value !== 'object' || value === null) return value
  const result: Record<string, unknown> = {}
  for (const [key, each] of Object.entries(value)) {
    if (placeholderOf(each) === 'maybe') continue
    // An assignment to __proto__ would be lost.
    Object.defineProperty(result, key, { value: substitute(each, bindings, values), enumerable: true, writable: true, configurable: true })
  }
  return result
}
