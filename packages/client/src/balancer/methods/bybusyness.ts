// Apache mod_lbmethod_bybusyness.
import type { BalanceHints } from '../../exchange/balance-hints.ts'
import type { Member } from '../members/member.ts'
import { ByRequests } from './byrequests.ts'
import type { Method } from './method.ts'

/** Whoever has the fewest requests under way; ties are broken by requests and weights. */
export class ByBusyness implements Method {
  readonly #ties = new ByRequests()

  pick(
    members: readonly Member[],
    hints: BalanceHints | undefined,
    now: number,
  ): Member | undefined {
    const least = Math.min(...members.map((member) => member.counters.load))
    const idlest = members.filter((member) => member.counters.load === least)
    return this.#ties.pick(idlest, hints, now)
  }
}
