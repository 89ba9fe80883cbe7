/**
 * What each part of the demo has to show for itself: figures that were counted in different places and must be equal.
 *
 *     { part: 'orders', told: { published: 200 }, equal: [{ delivered: 640, expected: 640 }] }
 *
 *     200 published, 640 delivered, 640 expected
 *
 * Nothing equals nothing too, so a figure that must agree must also be more than 0: a part in which nothing happened is wrong.
 */
export type Figures = Readonly<Record<string, number>>

export interface Sum {
  readonly part: string
  /** Figures that are only told. */
  readonly told?: Figures
  /** Groups of figures; those of one group must be equal. */
  readonly equal: readonly Figures[]
}

export function inWords(sum: Sum): string {
  return [sum.told ?? {}, ...sum.equal]
    .filter((figures) => Object.keys(figures).length > 0)
    .map(figuresInWords)
    .join(', ')
}

/** One sentence for each group that does not agree. */
export function wrongIn({ part, equal }: Sum): string[] {
  if (equal.length === 0) return [`${part}: nothing was summed up`]
  return equal.filter((figures) => !agrees(figures)).map((figures) => `${part}: ${figuresInWords(figures)}`)
}

/** The last lines of the demo, and the exit code that goes with them. `broken` names the parts that did not get to their sum. */
export function verdict(
  sums: readonly Sum[],
  broken: readonly string[] = [],
): { readonly lines: readonly string[]; readonly exitCode: 0 | 1 } {
  const wrong = [...broken, ...sums.flatMap(wrongIn)]
  if (sums.length === 0 && broken.length === 0) wrong.push('no part was run')
  if (wrong.length === 0) return { lines: ['all sums agree'], exitCode: 0 }
  return { lines: wrong.map((sentence) => `wrong sum in ${sentence}`), exitCode: 1 }
}

function agrees(figures: Figures): boolean {
  const values = Object.values(figures)
  return values.length > 1 && values.every((value) => value > 0 && value === values[0])
}

function figuresInWords(figures: Figures): string {
  return Object.entries(figures)
    .map(([name, value]) => `${value} ${name}`)
    .join(', ')
}
