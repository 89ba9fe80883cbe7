/**
 * The flags of `waybill serve`: --config is its own, all others are options of the configuration, which knows them, refuses
 * those that it does not know, and says which one was meant.
 */
import { parseArgs } from 'node:util'
import { outsideOptions } from '@waybill/server'
import { UsageProblem } from '../arguments.js'

export interface ServeFlags {
  /** Path of a configuration file. */
  readonly config: string | undefined
  /** Without dashes; true: a flag without a value. */
  readonly options: Readonly<Record<string, string | boolean>>
}

/** Throws UsageProblem for a word that is no flag, or a flag of our own without its value. */
export function readFlags(args: readonly string[]): ServeFlags {
  const known = Object.fromEntries(
    outsideOptions.map(({ flag, kind }) => [flag, { type: kind === 'boolean' ? 'boolean' : 'string' } as const]),
  )
  const own = { config: { type: 'string' } } as const
  const { tokens } = parseArgs({ args: [...args], options: { ...known, ...own }, strict: false, allowPositionals: true, tokens: true })

  const options: Record<string, string | boolean> = {}
  let config: string | undefined
  for (const [i, token] of tokens.entries()) {
    const before = tokens[i - 1]
    // `--prot 7671`: the word belongs to a flag that nobody knows, and that is the one to complain about.
    if (token.kind === 'positional' && before?.kind === 'option' && !(before.name in known) && !(before.name in own)) continue
    if (token.kind === 'positional')
      throw new UsageProblem(`waybill serve takes flags alone, not '${token.value}'; see waybill serve --help`)
    if (token.kind !== 'option') continue
    const { name, rawName, value } = token
    if (name in own && value === undefined) throw new UsageProblem(`${rawName} needs a value; see waybill serve --help`)
    if (name === 'config') config = value
    else options[name] = value ?? true
  }
  return { config, options }
}
