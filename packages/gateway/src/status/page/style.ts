// Style sheet of the page: light, dark, narrow (the rows of tables become cards), and printed.

/** Colours: every text has a contrast of at least 4.5 to 1 with the surfaces it stands on (WCAG 2.2, 1.4.3). */
const COLOURS = `
:root {
  color-scheme: light dark;
  --page: #f4f5f7; --card: #fff; --text: #1c2330; --soft: #596273; --line: #dfe3e9; --field: #fff; --edge: #8791a1;
  --accent: #2457c5; --ok: #137338; --warn: #9a4a06; --off: #596273; --bad: #b91c1c;
  --ok-page: #ecf7ef; --warn-page: #fef4e2; --bad-page: #fdecec; --area: #dbe6fb;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #11151c; --card: #191f29; --text: #e4e8ee; --soft: #a0aab9; --line: #2c3441; --field: #11151c; --edge: #6b7688;
    --accent: #8fb4fd; --ok: #4ade80; --warn: #fbbf24; --off: #a0aab9; --bad: #fb8585;
    --ok-page: #142a1e; --warn-page: #33270f; --bad-page: #3a1c20; --area: #22355a;
  }
}
`

const TEXT = `
*, ::before { box-sizing: border-box }
html { -webkit-text-size-adjust: 100% }
body {
  margin: 0; padding: 1.5rem clamp(.75rem, 3vw, 2.5rem) 3rem; background: var(--page); color: var(--text);
  font: 14px/1.45 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif;
  font-variant-numeric: tabular-nums; overflow-wrap: anywhere;
}
header, main, #told { max-width: 90rem; margin-inline: auto }
a { color: var(--accent) }
h1, h2, h3, p, dl, dd, ul, figure { margin: 0; padding: 0 }
h1 { font-size: 1.35rem; letter-spacing: -.01em }
h2 { font-size: 1.1rem }
h3 { font-size: .9375rem }
small { font-size: .8125rem }
.soft, td small, th small, .facts small, .none { color: var(--soft); font-weight: 400 }
.n { text-align: right; white-space: nowrap }
time { white-space: nowrap }
header { display: flex; flex-wrap: wrap; gap: .5rem 1.5rem; align-items: center; margin-bottom: 1rem }
header div { flex: 1 1 18rem }
nav { display: flex; flex-wrap: wrap; gap: .35rem 1rem }
#told { background: var(--ok-page); border-radius: 8px; padding: .5rem 1rem; margin-bottom: 1rem }
#told:empty { padding: 0; margin: 0 }
#told.bad { background: var(--bad-page) }
`

const CARDS = `
section, .alert, .health { background: var(--card); border: 1px solid var(--line); border-radius: 10px; margin-bottom: 1.25rem }
.alert, .health { padding: .75rem 1.25rem }
.alert, .health.bad { background: var(--bad-page); border-color: var(--bad) }
.health.warn { background: var(--warn-page); border-color: var(--warn) }
.health h2 { font-size: 1rem }
.health ul { list-style: none; display: flex; flex-wrap: wrap; gap: .1rem 1.5rem }
.top { display: flex; flex-wrap: wrap; gap: .25rem .75rem; align-items: baseline; padding: 1rem 1.25rem .25rem }
.none { padding: .25rem 1.25rem 1rem }
.pad { padding: .25rem 1.25rem .75rem }
.back { margin-bottom: .5rem }
.sums { display: flex; flex-wrap: wrap; gap: .6rem 2.25rem; padding: .5rem 1.25rem .9rem }
.sums div { min-width: 4.5rem; max-width: 100% }
dt { color: var(--soft); font-size: .8125rem }
.sums dd { font-size: 1.2rem; font-weight: 600; line-height: 1.3 }
.sums dd small { font-weight: 400; color: var(--soft) }
.facts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 8rem), 1fr)); gap: .6rem 1.5rem; padding: .5rem 1.25rem 1rem }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 8.75rem), 1fr)); gap: .75rem 1.5rem; padding: 0 1.25rem 1rem }
.chart figcaption, .chart small { display: flex; justify-content: space-between; gap: .5rem; color: var(--soft); font-size: .8125rem }
.chart figcaption { flex-wrap: wrap }
.chart :is(b, small span) { white-space: nowrap }
.chart b { color: var(--text) }
.chart b.bad { color: var(--bad) }
.chart svg { display: block; width: 100%; height: 2.75rem; border-bottom: 1px solid var(--line) }
.chart path { fill: none; stroke: var(--accent); stroke-width: 1.5; vector-effect: non-scaling-stroke; stroke-linejoin: round; stroke-linecap: round }
.chart path + path { stroke: var(--edge) }
.chart.bad path { stroke: var(--bad) }
.events { list-style: none; padding: .25rem 1.25rem 1rem; max-height: 22rem; overflow: auto }
.events li { padding: .25rem 0; border-top: 1px solid var(--line) }
.events li:first-child { border: 0 }
`

const TABLES = `
table { width: 100%; border-collapse: collapse }
th, td { padding: .5rem .6rem; text-align: left; vertical-align: top }
th:first-child, td:first-child { padding-left: 1.25rem }
th:last-child, td:last-child { padding-right: 1.25rem }
thead th { color: var(--soft); font-size: .8125rem; font-weight: 500; vertical-align: bottom; padding-bottom: .35rem }
thead a { color: inherit; text-decoration: none }
thead a:hover { text-decoration: underline }
[aria-sort] a { color: var(--text); font-weight: 600 }
[aria-sort=descending] a::after { content: " ↓"; content: " ↓" / "" }
[aria-sort=ascending] a::after { content: " ↑"; content: " ↑" / "" }
tbody { border-top: 1px solid var(--line) }
tbody th { font-weight: 600; min-width: 10rem }
tbody small, dd small { display: block }
.sums dd small, .state small { display: inline }
.state { font-weight: 500; white-space: nowrap }
.state::before { content: ""; display: inline-block; width: 10px; height: 10px; border-radius: 50%; margin-right: .45rem; background: currentColor }
.ok { color: var(--ok) }
.recovering, .draining, .starting, .busy { color: var(--warn) }
.disabled, .stopped, .idle { color: var(--off) }
.failed, .failing { color: var(--bad) }
.stopped::before, .disabled::before { background: none; border: 2px solid currentColor }
table.times { width: auto; margin: 0 1.25rem 1rem }
.times :is(th, td) { padding: .2rem 1.5rem .2rem 0 }
.times tbody th { font-weight: 400; min-width: 0 }
tr.more td { padding-top: 0 }
.trouble { border-left: 4px solid var(--warn); background: var(--warn-page); border-radius: 0 6px 6px 0; padding: .4rem .75rem }
.trouble.bad { border-color: var(--bad); background: var(--bad-page) }
`

const FORMS = `
form { display: flex; flex-wrap: wrap; gap: .4rem; align-items: center; margin: 0 }
td form { justify-content: flex-end; flex-wrap: nowrap }
button, input { font: inherit; color: inherit; background: var(--field); border: 1px solid var(--edge); border-radius: 6px; padding: .25rem .65rem; min-height: 2rem }
button { cursor: pointer }
td button { white-space: nowrap }
button:hover { border-color: var(--accent); color: var(--accent) }
button[aria-pressed=true] { background: var(--area); border-color: var(--accent); font-weight: 600 }
button.danger { color: var(--bad); border-color: var(--bad) }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px }
::placeholder { color: var(--soft); opacity: 1 }
input { min-width: 0; max-width: 100% }
input[type=number] { width: 5.5rem }
input[type=search] { width: 16rem }
label { display: inline-flex; flex-wrap: wrap; gap: .1rem .4rem; align-items: center; color: var(--soft) }
label input { color: var(--text) }
summary { cursor: pointer; color: var(--soft); padding: .35rem 0 }
.acts { display: flex; flex-wrap: wrap; gap: .5rem 1.25rem; align-items: center; padding: .25rem 1.25rem 1rem }
details.add { border-top: 1px solid var(--line); padding: .4rem 1.25rem }
.add form { gap: .5rem 1rem; padding: .25rem 0 .6rem }
`

/**
 * Below this width a row is a card, whose trouble comes before its figures, and the heads of the columns are links to sort by.
 */
const NARROW = `
@media (max-width: 76rem) {
  .cards, .cards thead { display: block }
  .cards thead tr { display: flex; flex-wrap: wrap; gap: .1rem .9rem; padding: 0 1.25rem .5rem }
  .unsorted thead { display: none }
  .cards thead tr::before { content: "Sort by"; color: var(--soft); font-size: .8125rem }
  .cards thead :is(th, td) { padding: 0; text-align: left }
  .cards tbody { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 5.75rem), 1fr)); gap: .5rem .75rem; padding: .75rem 1.25rem }
  .cards tbody tr { display: contents }
  .cards tbody :is(th, td) { display: block; padding: 0; text-align: left; white-space: normal }
  .cards tbody td { order: 1 }
  .cards tbody :is(th, .more td, .act) { grid-column: 1 / -1 }
  .cards tbody .more td { order: 0 }
  .cards tbody th { font-size: 1rem }
  .cards td[data-label]::before { content: attr(data-label); display: block; color: var(--soft); font-size: .8125rem }
  .cards td form { justify-content: flex-start }
  table.times { margin-inline: 1.25rem; max-width: calc(100% - 2.5rem) }
  .times { font-size: .8125rem }
  .times :is(th, td) { padding-right: .4rem; white-space: normal; overflow-wrap: normal }
  button, input { min-height: 2.5rem }
  .add label, header form, header label, header input { flex: 1 1 12rem }
  .add input { flex: 1 }
}
`

const PRINTED = `
@media print {
  :root {
    color-scheme: light;
    --page: #fff; --card: #fff; --text: #000; --soft: #444; --line: #bbb; --accent: #000; --ok: #0a5c29; --warn: #7a3a00; --off: #444; --bad: #a00;
    --ok-page: #fff; --warn-page: #fff; --bad-page: #fff;
  }
  body { padding: 0; font-size: 10pt }
  nav, form, details, .acts, .act { display: none }
  a { text-decoration: none }
  section { border: 0; border-top: 2px solid #000; border-radius: 0 }
  tbody, figure, li { break-inside: avoid }
  h2, .top { break-after: avoid }
  .events { max-height: none; overflow: visible }
  * { print-color-adjust: exact }
}
`

/** The whole style sheet. */
export const STYLE: string = COLOURS + TEXT + CARDS + TABLES + FORMS + NARROW + PRINTED
