// Apache mod_lbmethod_bybusyness.
import type { BalanceHints } from '../../exchange/balance-hints.ts'
import type { Member } from '../members/member.ts'
import { ByRequests } from './byrequests.ts'
import type { Method } from './method.ts'

/** Chooses the member with the fewest active requests; ties are broken by {@link ByRequests}. */
export class ByBusyness implements Method {
  readonly prefersIdle = true
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
