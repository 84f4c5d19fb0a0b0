// Charts of the last minutes, drawn as SVG. Colours and line widths are in the style sheet.

import { html, type Markup } from './html.ts'

/** Height of a chart in its own units; the width is one unit a value. */
const HEIGHT = 100

/** Values at equal distances in time, the latest last; null where nothing is known. */
export type Values = ReadonlyArray<number | null>

/** What a chart shows. */
export interface ChartOptions {
  readonly title: string
  /** One line each: at most two, the higher one last. */
  readonly lines: readonly Values[]
  /** Minutes from the first value to the last. */
  readonly minutes: number
  /** Formats a value. */
  readonly format: (value: number) => string
  /** Whether any value above zero is bad. */
  readonly bad?: boolean | undefined
}

/** A chart with its title and the latest and the highest value as text. */
export function chart({ title, lines, minutes, format, bad = false }: ChartOptions): Markup {
  const highest = highestOf(lines.flat())
  const latest = lines.map((values) => values.findLast((value) => value !== null) ?? null)
  const now = latest.map((value) => (value === null ? '–' : format(value))).join(' / ')
  const most = highest === null ? '–' : format(highest)
  const width = Math.max(1, ...lines.map((values) => values.length - 1))
  const kind = bad && highest !== null && highest > 0 ? 'bad' : ''
  return html`<figure class="chart ${kind}" data-key="${title}">
<figcaption>${title} <b${bad && latest.some(Number) && html` class="bad"`}>${now}</b></figcaption>
<svg viewBox="0 -4 ${width} ${HEIGHT + 8}" preserveAspectRatio="none" role="img" aria-label="${title}, last ${minutes} minutes: now ${now}, highest ${most}">
${lines.map((values) => html`<path d="${pathOf(values, highest ?? 0)}"/>`)}
</svg>
<small><span>${minutes} min</span><span>highest ${most}</span></small>
</figure>`
}

function highestOf(values: Values): number | null {
  return values.reduce(
    (most, value) => (value !== null && value > (most ?? -1) ? value : most),
    null,
  )
}

/** A line through the values, with gaps where they are null. Points between equal neighbours are left out. */
function pathOf(values: Values, highest: number): string {
  const heights = values.map((value) =>
    value === null ? null : Math.round(HEIGHT - (highest === 0 ? 0 : value / highest) * HEIGHT),
  )
  let path = ''
  heights.forEach((height, at) => {
    if (height === null) return
    const [before, after] = [heights[at - 1], heights[at + 1]]
    const starts = before === undefined || before === null
    const isAlone = starts && (after === undefined || after === null)
    if (starts) path += `M${at} ${height}`
    else if (before !== height || after !== height) path += `L${at} ${height}`
    if (isAlone) path += at === 0 ? 'h1' : 'h-1'
  })
  return path
}
