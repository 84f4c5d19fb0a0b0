// Draws bar charts as SVG.
/** A bar of a {@link barChart}. */
export interface Bar {
  label: string
  value: number
  /** Whether it is drawn in the accent colour. */
  highlighted: boolean
}

const ROW = 26
const LABELS = 150
const BARS = 460
const TOP = 40

/** Horizontal bars, shortest first, as SVG that is legible on light and dark pages. */
export function barChart(chart: { title: string; unit: string; bars: readonly Bar[] }): string {
  const bars = [...chart.bars].sort((one, other) => one.value - other.value)
  const longest = Math.max(...bars.map(({ value }) => value))
  const height = TOP + bars.length * ROW + 10
  const width = LABELS + BARS + 90
  const rows = bars.map((bar, at) => {
    const y = TOP + at * ROW
    const length = ((bar.value / longest) * BARS).toFixed(1)
    const colour = bar.highlighted ? '#d9480f' : '#868e96'
    return [
      `<text x="${LABELS - 8}" y="${y + 14}" text-anchor="end">${escaped(bar.label)}</text>`,
      `<rect x="${LABELS}" y="${y}" width="${length}" height="${ROW - 8}" rx="2" fill="${colour}"/>`,
      `<text x="${LABELS + Number(length) + 6}" y="${y + 14}">${bar.value} ${escaped(chart.unit)}</text>`,
    ].join('\n  ')
  })
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="sans-serif" font-size="13">
  <title>${escaped(chart.title)}</title>
  <style>text { fill: #495057 } @media (prefers-color-scheme: dark) { text { fill: #ced4da } }</style>
  <text x="8" y="22" font-weight="bold">${escaped(chart.title)}</text>
  ${rows.join('\n  ')}
</svg>
`
}

function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (char) => `&#${char.charCodeAt(0)};`)
}
