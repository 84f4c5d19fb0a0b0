import type { DispatcherStats } from '../dispatcher.ts'
import type { Member } from './members/member.ts'

/** What the connections of all members come to. */
export function sumStats(
  members: readonly Member[],
): Pick<DispatcherStats, 'connections' | 'idle' | 'active' | 'queued' | 'limit'> {
  const sum = { connections: 0, idle: 0, active: 0, queued: 0, limit: 0 }
  for (const { dispatcher } of members) {
    const { stats } = dispatcher
    sum.connections += stats.connections
    sum.idle += stats.idle
    sum.active += stats.active
    sum.queued += stats.queued
    sum.limit += stats.limit
  }
  return sum
}
