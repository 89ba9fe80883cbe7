/** What is wrong with one option. */
export interface ConfigProblem {
  /** The option, as in the file: `limits.queueCount`, `users[2].passwordHash`. */
  readonly path: string
  /** What it must be, what was found, and the fix. */
  readonly message: string
  /** Where it was said: a file, `WAYBILL_PORT`, `--port`. Undefined: in the options of `createBroker`. */
  readonly source: string | undefined
}

/** A configuration that cannot be used, with everything that is wrong with it. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly code = 'CONFIG_INVALID'
  readonly problems: readonly ConfigProblem[]

  constructor(problems: readonly ConfigProblem[]) {
    super(
      problems
        .map(({ path, message, source }) => `${path === '' ? '' : `${path}: `}${message}${source === undefined ? '' : ` (${source})`}`)
        .join('\n'),
    )
    this.problems = problems
  }
}
