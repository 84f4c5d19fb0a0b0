// Processes that another process than those that send requests to them has started.

import { latest } from './event-snapshots.ts'
import type { ProcessSnapshot, StatusSnapshot } from './snapshot.ts'

/** Processes, and what has happened to them. */
export type ProcessStatus = Pick<StatusSnapshot, 'processes' | 'events'>

/** Adds processes to a snapshot. */
export function withProcesses(
  snapshot: StatusSnapshot,
  added: ProcessStatus | undefined,
): StatusSnapshot {
  if (added === undefined) return snapshot
  return {
    ...snapshot,
    processes: [...snapshot.processes, ...added.processes],
    events: latest([...snapshot.events, ...added.events]),
  }
}

/** Counts the requests of processes by what the members with their addresses have been sent. */
export function withLoads(snapshot: StatusSnapshot): StatusSnapshot {
  const members = snapshot.dispatchers.flatMap((dispatcher) => dispatcher.members)
  const loaded = (process: ProcessSnapshot): ProcessSnapshot => {
    const member = members.find(({ name }) => name === process.address)
    if (member === undefined) return process
    return { ...process, load: member.counters.load, served: member.totalTimes.count }
  }
  return { ...snapshot, processes: snapshot.processes.map(loaded) }
}
