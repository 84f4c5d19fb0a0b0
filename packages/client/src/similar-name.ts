// Finds the name that somebody may have meant who has written another one.

/** Mistakes per character that a name may have: one in three. */
const MISTAKES_PER_CHARACTER = 1 / 3

/**
 * The name that is most like `name`: characters missing, added, replaced or exchanged with their neighbour count as one
 * mistake each, case as none. Undefined if every name has more mistakes than a third of its characters, or three.
 */
export function similarName(name: string, known: Iterable<string>): string | undefined {
  const text = name.toLowerCase()
  let best: string | undefined
  let fewest = Math.min(3, Math.floor(text.length * MISTAKES_PER_CHARACTER)) + 1
  for (const candidate of known) {
    const mistakes = distance(text, candidate.toLowerCase())
    if (mistakes >= fewest) continue
    best = candidate
    fewest = mistakes
  }
  return best
}

/** Optimal string alignment distance. Rows of its table: the last but one, the last, and the one that is computed. */
function distance(a: string, b: string): number {
  let before: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, at) => at)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1
      let least = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + cost)
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        least = Math.min(least, (before[j - 2] ?? 0) + 1)
      row.push(least)
    }
    before = last
    last = row
  }
  return last[b.length] ?? 0
}
