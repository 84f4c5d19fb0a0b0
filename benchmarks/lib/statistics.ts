// Medians and ratios of measurements in rounds, and who wins.

/** The median; of an even number of values, the upper of the two in the middle. */
export function median(numbers: readonly number[]): number {
  return ascending(numbers)[Math.floor(numbers.length / 2)] ?? Number.NaN
}

/** The median over all rounds, for each name. */
export function mediansByName<Row extends { name: string }>(
  rows: readonly Row[],
  figure: (row: Row) => number,
): Map<string, number> {
  return new Map([...byName(rows, figure)].map(([name, figures]) => [name, median(figures)]))
}

/** A ratio that was measured in several rounds. Half of the rounds lie between `low` and `high`. */
export interface Ratio {
  readonly median: number
  readonly low: number
  readonly high: number
  readonly rounds: number
}

/** Fewer rounds say nothing about how far they differ. */
const FEWEST_ROUNDS = 3

/** The ratio of two series of figures, round by round. */
export function ratioOf(figures: readonly number[], others: readonly number[]): Ratio {
  const ratios = ascending(figures.map((figure, at) => figure / (others[at] ?? Number.NaN)))
  const quarter = Math.floor(ratios.length / 4)
  const [low = Number.NaN, high = Number.NaN] = [ratios.at(quarter), ratios.at(-1 - quarter)]
  return { median: median(ratios), low, high, rounds: ratios.length }
}

/**
 * For each name, its ratio to another name in the same round. Changes of the machine's speed between rounds affect both, and
 * so not the ratio.
 */
export function ratiosByName<Row extends { name: string }>(
  rows: readonly Row[],
  figure: (row: Row) => number,
  other: string,
): Map<string, Ratio> {
  const all = byName(rows, figure)
  const others = all.get(other) ?? []
  return new Map([...all].map(([name, figures]) => [name, ratioOf(figures, others)]))
}

/**
 * Which of two has won, by the ratio of one to the other; 'undecided' if the rounds differ by more than the two do, or are too few.
 * @param better whether a higher or a lower figure is better.
 */
export function winner(
  one: string,
  other: string,
  ratio: Ratio | undefined,
  better: 'higher' | 'lower',
): string {
  if (one === other || ratio === undefined || Number.isNaN(ratio.median)) return ''
  const { median, low, high, rounds } = ratio
  if (rounds < FEWEST_ROUNDS || !(Math.abs(median - 1) > high - low)) return 'undecided'
  return median > 1 === (better === 'higher') ? one : other
}

/** A ratio as it is printed: the median, and between which figures half of the rounds lie; '' if there is none. */
export function printed(ratio: Ratio | undefined): string {
  if (ratio === undefined || Number.isNaN(ratio.median)) return ''
  const { median, low, high } = ratio
  return median === 1 && low === high
    ? '1'
    : `${rounded(median)} (${rounded(low)} to ${rounded(high)})`
}

/** Formats a figure with three significant digits. */
export function rounded(figure: number): number {
  return Number(figure.toPrecision(3))
}

function byName<Row extends { name: string }>(
  rows: readonly Row[],
  figure: (row: Row) => number,
): Map<string, number[]> {
  const all = new Map<string, number[]>()
  for (const row of rows) all.set(row.name, [...(all.get(row.name) ?? []), figure(row)])
  return all
}

function ascending(numbers: readonly number[]): number[] {
  return [...numbers].sort((one, other) => one - other)
}
