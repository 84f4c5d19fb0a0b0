// Measurements in rounds: all contestants take turns in each, so that other load of the machine affects all of them alike.
import type { Contestant } from '../servers/contestants.ts'
import { type Load, type LoadResult, load } from './load.ts'
import type { Workplace } from './workplace.ts'

/** What one contestant did in one round. */
export interface Measured extends LoadResult {
  name: string
  /** Microseconds of CPU time per request. */
  cpu: number
}

/** Rounds before the first one that counts, in which code is compiled and caches are filled. */
const WARM_UP = 1

/** Measures each contestant once a round. */
export async function inRounds<Row>(
  rounds: number,
  contestants: readonly Contestant[],
  measure: (contestant: Contestant) => Promise<Row>,
): Promise<Row[]> {
  const rows: Row[] = []
  for (let round = -WARM_UP; round < rounds; round++)
    for (const contestant of contestants) {
      const row = await measure(contestant)
      if (round >= 0) rows.push(row)
    }
  return rows
}

/** Puts a load on a contestant, and measures its CPU time. */
export async function underLoad(
  place: Workplace,
  contestant: Contestant,
  wish: Omit<Load, 'port'>,
): Promise<Measured> {
  const before = contestant.cpuSeconds
  const result = await load(place, { port: contestant.port, ...wish })
  const cpu = ((contestant.cpuSeconds - before) / result.requests) * 1e6
  console.log(`${contestant.name}: ${cpu.toFixed(1)} µs of CPU a request`)
  return { ...result, name: contestant.name, cpu }
}

/** CPU time per request, for the functions of statistics.ts. */
export function cpuOf({ cpu }: Measured): number {
  return cpu
}

/** Requests per second, for the functions of statistics.ts. */
export function rateOf({ requestsPerSecond }: LoadResult): number {
  return requestsPerSecond
}
