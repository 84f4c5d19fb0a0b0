// The status of a server as a table of text.
import type { StatusSnapshot } from '@fastcgi/gateway/internal'

type DispatcherSnapshot = StatusSnapshot['dispatchers'][number]
type Row = readonly string[]

const HEAD: Row = [
  'NAME',
  'STATE',
  'ACTIVE',
  'QUEUED',
  'CONNECTIONS',
  'REQUESTS',
  'PER SECOND',
  'FAILED',
  'P50',
  'P99',
]

/** One line for each balancer or pool, and below a balancer one for each member. */
export function statusTable({ dispatchers, at, pid, uptime }: StatusSnapshot): string {
  const rows = [HEAD, ...dispatchers.flatMap(rowsOf)]
  const widths = HEAD.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  const lines = rows.map((row) =>
    row
      .map((cell, column) => pad(cell, column, widths))
      .join('  ')
      .trimEnd(),
  )
  return `${at}, process ${pid}, up ${uptime} s\n${lines.join('\n')}\n`
}

/** Text to the left, numbers to the right. */
function pad(cell: string, column: number, widths: readonly number[]): string {
  const width = widths[column] ?? 0
  return column < 2 ? cell.padEnd(width) : cell.padStart(width)
}

function rowsOf({
  name,
  kind,
  method,
  stats,
  requestsPerSecond,
  members,
}: DispatcherSnapshot): Row[] {
  const { active, queued, connections, requests, failed } = stats
  const figures = [active, queued, connections, requests, rate(requestsPerSecond), failed, '', '']
  const own = [name, method ?? kind, ...figures.map(String)]
  return [own, ...members.map(memberRow)]
}

function memberRow(member: DispatcherSnapshot['members'][number]): Row {
  const { stats, requestsPerSecond, totalTimes } = member
  const { active, queued, connections, requests, failed } = stats
  const figures = [active, queued, connections, requests, rate(requestsPerSecond), failed]
  return [
    `  ${member.name}`,
    member.state,
    ...figures.map(String),
    milliseconds(totalTimes.p50),
    milliseconds(totalTimes.p99),
  ]
}

function rate(perSecond: number | null): string {
  return perSecond === null ? '-' : perSecond.toFixed(1)
}

function milliseconds(bound: number | null): string {
  return bound === null ? '-' : `${bound} ms`
}
