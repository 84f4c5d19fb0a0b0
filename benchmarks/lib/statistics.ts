/** The middle one of some numbers; of an even count, the upper of the two. */
export function median(numbers: readonly number[]): number {
  return (
    [...numbers].sort((one, other) => one - other)[Math.floor(numbers.length / 2)] ?? Number.NaN
  )
}

/** One number for each name: the median of what was measured in all rounds. */
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
 * One number for each name: the median over all rounds of its ratio to another one in the same round. A machine whose speed
 * changes from round to round changes both.
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
