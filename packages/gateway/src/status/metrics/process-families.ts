// Metrics of the processes of process managers.

import type { ProcessSnapshot } from '../snapshot.ts'
import { counter, type Family, gauge, type Value } from './family.ts'

/** @param routeOf the label `route` of a dispatcher, by its name. */
export function processFamilies(
  processes: readonly ProcessSnapshot[],
  routeOf: (dispatcher: string) => string,
): Family[] {
  const each = (of: (process: ProcessSnapshot) => number): Value[] =>
    processes.map((process) => [
      { route: routeOf(process.dispatcher), process: process.name },
      of(process),
    ])
  return [
    gauge(
      'fastcgi_process_up',
      'Whether the process runs and takes requests',
      each(({ state }) => Number(state === 'running')),
    ),
    gauge(
      'fastcgi_process_age_seconds',
      'Time since the process was started; 0 if it does not run',
      each(({ age }) => (age ?? 0) / 1000),
    ),
    gauge(
      'fastcgi_process_requests_in_flight',
      'Requests that the process is serving',
      each(({ load }) => load),
    ),
    counter(
      'fastcgi_process_requests_total',
      'Requests that the process has answered',
      each(({ served }) => served),
    ),
    counter(
      'fastcgi_process_starts_total',
      'How many times the process was started',
      each(({ starts }) => starts),
    ),
    counter(
      'fastcgi_process_exits_total',
      'How many times the process ended without having been told to',
      each(({ died }) => died),
    ),
  ]
}
