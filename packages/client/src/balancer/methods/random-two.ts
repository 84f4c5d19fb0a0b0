// "The power of two random choices" (Mitzenmacher); nginx "random two least_conn".
import type { BalanceHints } from '../../exchange/balance-hints.ts'
import type { Member } from '../members/member.ts'
import type { Method } from './method.ts'

/** The less loaded of two that are drawn by weight. */
export class RandomTwo implements Method {
  pick(
    members: readonly Member[],
    _hints: BalanceHints | undefined,
    now: number,
  ): Member | undefined {
    const first = draw(members, now)
    const second = draw(
      members.filter((member) => member !== first),
      now,
    )
    if (first === undefined || second === undefined) return first
    const cost = (member: Member): number => member.counters.load / member.share(now)
    return cost(second) < cost(first) ? second : first
  }
}

function draw(members: readonly Member[], now: number): Member | undefined {
  let left = Math.random() * members.reduce((sum, member) => sum + member.share(now), 0)
  for (const member of members) {
    left -= member.share(now)
    if (left < 0) return member
  }
  return members.at(-1)
}
