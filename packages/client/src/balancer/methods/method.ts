import type { BalanceHints } from '../../exchange/balance-hints.ts'
import type { Member } from '../members/member.ts'

/** A balancing method: chooses one of the members that may receive a request. */
export interface Method {
  /** Whether the method prefers members with few active requests; members that refuse requests are then left out briefly. */
  readonly prefersIdle?: boolean
  /** Chooses a member. @param members at least one. @param now performance.now(). */
  pick(members: readonly Member[], hints: BalanceHints | undefined, now: number): Member | undefined
}

/** Returns the member with the lowest cost; the first one wins ties. */
export function cheapest(
  members: readonly Member[],
  cost: (member: Member) => number,
): Member | undefined {
  let best: Member | undefined
  let least = Number.POSITIVE_INFINITY
  for (const member of members) {
    const value = cost(member)
    if (value < least) {
      least = value
      best = member
    }
  }
  return best
}
