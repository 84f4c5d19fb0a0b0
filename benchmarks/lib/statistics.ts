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
