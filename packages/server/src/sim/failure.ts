/** What a simulation has found: the name of the check, and what was seen against what must be. */
export class SimulationFailure extends Error {
  override readonly name = 'SimulationFailure'
  readonly check: string

  constructor(check: string, message: string) {
    super(`${check}: ${message}`)
    this.check = check
  }
}

export function fail(check: string, message: string): never {
  throw new SimulationFailure(check, message)
}

export function expect(condition: boolean, check: string, message: () => string): asserts condition {
  if (!condition) fail(check, message())
}
