// lighttpd's default ("least-connection", "fair") and nginx least_conn. In lighttpd the first member wins ties, so that
// with low load the others are never used; here ties are broken by weighted round robin, as in nginx.
import type { BalanceHints } from '../../exchange/balance-hints.ts'
import type { Member } from '../members/member.ts'
import { ByRequests } from './byrequests.ts'
import type { Method } from './method.ts'

/** Chooses the member with the fewest active requests in proportion to its weight. */
export class LeastConnection implements Method {
  readonly prefersIdle = true
  readonly #ties = new ByRequests()

  pick(
    members: readonly Member[],
    hints: BalanceHints | undefined,
    now: number,
  ): Member | undefined {
    const loads = members.map((member) => member.counters.load / member.share(now))
    const least = Math.min(...loads)
    return this.#ties.pick(
      members.filter((_, at) => loads[at] === least),
      hints,
      now,
    )
  }
}
