/** Style sheet of the page. On narrow screens the table becomes one card per member. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --page: #f4f5f7; --card: #fff; --text: #1c2330; --soft: #5c6675; --line: #e3e6eb; --field: #fff;
  --accent: #2457c5; --ok: #15803d; --warn: #b45309; --off: #64748b; --bad: #c81e1e; --bad-page: #fdecec;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #11151c; --card: #191f29; --text: #e4e8ee; --soft: #98a3b3; --line: #2a323f; --field: #11151c;
    --accent: #86aefc; --ok: #4ade80; --warn: #fbbf24; --off: #94a3b8; --bad: #f87171; --bad-page: #3a1c20;
  }
}
*, ::before { box-sizing: border-box }
html { -webkit-text-size-adjust: 100% }
body {
  margin: 0; padding: 1.5rem clamp(.75rem, 3vw, 2.5rem) 3rem; background: var(--page); color: var(--text);
  font: 14px/1.45 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif;
  font-variant-numeric: tabular-nums; overflow-wrap: anywhere;
}
main, header, footer { max-width: 90rem; margin: 0 auto }
a { color: var(--accent) }
h1 { margin: 0; font-size: 1.35rem; letter-spacing: -.01em }
h2 { margin: 0; font-size: 1.1rem }
header { display: flex; flex-wrap: wrap; gap: .25rem 1.5rem; align-items: baseline; margin-bottom: 1.25rem }
header p { margin: 0; color: var(--soft) }
header nav { display: flex; gap: 1rem; margin-left: auto }
section { background: var(--card); border: 1px solid var(--line); border-radius: 10px; margin-bottom: 1.25rem }
section > .top { display: flex; flex-wrap: wrap; gap: .25rem .75rem; align-items: baseline; padding: 1rem 1.25rem .25rem }
.kind { color: var(--soft) }
.alert { background: var(--bad-page); border: 1px solid var(--bad); border-radius: 10px; padding: .75rem 1.25rem; margin: 0 0 1.25rem }
.sums { display: flex; flex-wrap: wrap; gap: .75rem 2.25rem; margin: 0; padding: .5rem 1.25rem 1rem }
.sums div { min-width: 4.5rem }
.sums dt { color: var(--soft); font-size: .8125rem }
.sums dd { margin: 0; font-size: 1.25rem; font-weight: 600; line-height: 1.25 }
.sums dd small { font-size: .8125rem; font-weight: 400; color: var(--soft) }
.none { padding: 0 1.25rem 1rem; margin: 0; color: var(--soft) }
table { width: 100%; border-collapse: collapse }
th, td { padding: .5rem .75rem; text-align: left; vertical-align: top }
th:first-child, td:first-child { padding-left: 1.25rem }
th:last-child, td:last-child { padding-right: 1.25rem }
thead th { color: var(--soft); font-size: .8125rem; font-weight: 500; white-space: nowrap; vertical-align: bottom; padding-bottom: .35rem }
tbody { border-top: 1px solid var(--line) }
tbody th { font-weight: 600; min-width: 10rem }
.role { white-space: nowrap }
.route { min-width: 5rem }
td small { color: var(--soft); font-size: .8125rem; display: block }
.n { text-align: right; white-space: nowrap }
.zero { color: var(--soft) }
.state { white-space: nowrap; font-weight: 500 }
.state::before { content: ""; display: inline-block; width: 10px; height: 10px; border-radius: 50%; margin-right: .45rem; background: currentColor }
.ok { color: var(--ok) }
.recovering, .draining { color: var(--warn) }
.disabled, .stopped { color: var(--off) }
.failed { color: var(--bad) }
.stopped::before, .disabled::before { background: none; border: 2px solid currentColor }
.more td { padding-top: 0 }
.error { color: var(--soft) }
.error b { color: var(--bad); font-weight: 500 }
.acts { display: flex; flex-wrap: wrap; gap: .5rem 1rem; align-items: center }
form { display: flex; flex-wrap: wrap; gap: .4rem; align-items: center; margin: 0 }
button, input {
  font: inherit; color: inherit; background: var(--field); border: 1px solid var(--line); border-radius: 6px; padding: .25rem .65rem; min-height: 2rem;
}
button { cursor: pointer }
button:hover { border-color: var(--accent); color: var(--accent) }
button:disabled { cursor: default; color: var(--soft); border-color: transparent; background: var(--page) }
button.danger:hover { border-color: var(--bad); color: var(--bad) }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px }
input { min-width: 0; max-width: 100% }
input[type=number] { width: 5.5rem }
label { display: inline-flex; gap: .4rem; align-items: center; color: var(--soft) }
label input { color: var(--text) }
details { display: inline-flex; flex-wrap: wrap; gap: .4rem; align-items: center }
summary { cursor: pointer; color: var(--soft) }
details[open] { color: var(--soft) }
.add { border-top: 1px solid var(--line); padding: .75rem 1.25rem }
.add form { gap: .5rem 1rem }
footer { color: var(--soft) }
@media (max-width: 78rem) {
  thead { display: none }
  table, tbody { display: block }
  tbody { padding: .75rem 1.25rem }
  tbody tr { display: grid; grid-template-columns: repeat(auto-fit, minmax(6.5rem, 1fr)); gap: .5rem .75rem }
  tbody tr.more { display: block; margin-top: .6rem }
  tbody th, tbody td, tbody td.n, tbody th:first-child, tbody td:first-child, tbody td:last-child { display: block; padding: 0; text-align: left; white-space: normal }
  tbody th { grid-column: 1 / -1; font-size: 1rem }
  td[data-label]::before { content: attr(data-label); display: block; color: var(--soft); font-size: .8125rem }
  header nav { margin-left: 0 }
  tbody td.wide { grid-column: span 2 }
  button, input { min-height: 2.5rem }
  .add label { flex: 1 1 12rem }
  .add input { flex: 1 }
}
`
