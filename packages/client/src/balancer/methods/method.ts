import type { BalanceHints } from '../../exchange/balance-hints.ts'
import type { Member } from '../members/member.ts'

/** A way to choose among the members that may take a request. */
export interface Method {
  /** @param members at least one. @param now milliseconds of performance.now(). */
  pick(members: readonly Member[], hints: BalanceHints | undefined, now: number): Member | undefined
}

/** The member with the smallest cost; the first one wins ties. */
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
