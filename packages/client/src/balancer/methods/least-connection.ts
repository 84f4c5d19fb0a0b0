// lighttpd's default ("least-connection", "fair"), nginx least_conn. lighttpd lets the first member win ties, so that a
// quiet site never uses the others; ours breaks ties as nginx does, by weighted round robin.
import type { BalanceHints } from '../../exchange/balance-hints.ts'
import type { Member } from '../members/member.ts'
import { ByRequests } from './byrequests.ts'
import type { Method } from './method.ts'

/** Whoever has the fewest requests under way for its weight. */
export class LeastConnection implements Method {
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
