// Medians, for measurements in rounds.
/** The median; of an even number of values, the upper of the two in the middle. */
export function median(numbers: readonly number[]): number {
  return (
    [...numbers].sort((one, other) => one - other)[Math.floor(numbers.length / 2)] ?? Number.NaN
  )
}

/** The median over all rounds, for each name. */
export function mediansByName<Row extends { name: string }>(
  rows: readonly Row[],
  figure: (row: Row) => number,
): Map<string, number> {
  const names = [...new Set(rows.map(({ name }) => name))]
  return new Map(
    names.map((name) => [name, median(rows.filter((row) => row.name === name).map(figure))]),
  )
}

/**
 * For each name, the median over all rounds of its ratio to another name in the same round. Changes of the machine's speed
 * between rounds affect both, and so not the ratio.
 */
export function ratiosByName<Row extends { name: string }>(
  rows: readonly Row[],
  figure: (row: Row) => number,
  other: string,
): Map<string, number> {
  const others = rows.filter(({ name }) => name === other).map(figure)
  const seen = new Map<string, number>()
  const ratios = rows.map((row) => {
    const round = seen.get(row.name) ?? 0
    seen.set(row.name, round + 1)
    return { name: row.name, ratio: figure(row) / (others[round] ?? Number.NaN) }
  })
  return mediansByName(ratios, ({ ratio }) => ratio)
}
