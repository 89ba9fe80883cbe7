/** What stands behind a command on the command line: options and words, or what is wrong with them. */
import { parseArgs } from 'node:util'

export interface ArgumentShape {
  readonly command: string
  readonly options: Readonly<Record<string, { readonly type: 'string' | 'boolean'; readonly short?: string }>>
  /** How many words may stand beside the options. */
  readonly wordsMax: number
}

export interface Arguments {
  readonly options: Readonly<Record<string, string | boolean | undefined>>
  readonly words: readonly string[]
}

/** A command line that makes no sense; one line, with the fix. */
export class UsageProblem extends Error {
  override readonly name = 'UsageProblem'
}

/** Throws UsageProblem. */
export function readArguments({ command, options, wordsMax }: ArgumentShape, args: readonly string[]): Arguments {
  const { tokens } = parseArgs({ args: [...args], options, strict: false, allowPositionals: true, tokens: true })
  const values: Record<string, string | boolean> = Object.create(null)
  const words: string[] = []
  for (const token of tokens) {
    if (token.kind === 'positional') words.push(token.value)
    if (token.kind !== 'option') continue
    const { name, rawName, value } = token
    if (!Object.hasOwn(options, name)) throw new UsageProblem(`waybill ${command} has no option ${rawName}; see waybill ${command} --help`)
    const takesValue = options[name].type === 'string'
    if (takesValue && value === undefined) throw new UsageProblem(`${rawName} needs a value; see waybill ${command} --help`)
    if (!takesValue && value !== undefined) throw new UsageProblem(`${rawName} takes no value`)
    values[name] = takesValue ? (value as string) : true
  }
  if (words.length > wordsMax)
    throw new UsageProblem(`'${words[wordsMax]}' is one word too many for waybill ${command}; see waybill ${command} --help`)
  return { options: values, words }
}
