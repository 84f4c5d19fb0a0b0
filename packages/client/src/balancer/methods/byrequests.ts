// Smooth weighted round robin: Apache mod_lbmethod_byrequests, nginx's default.
import type { BalanceHints } from '../../exchange/balance-hints.ts'
import type { Member } from '../members/member.ts'
import type { Method } from './method.ts'

/**
 * Requests in proportion to weights, evenly interleaved. Each time, everybody's credit grows by its weight; the one with
 * most credit is chosen and pays the sum of all weights.
 */
export class ByRequests implements Method {
  readonly #credit = new WeakMap<Member, number>()

  pick(
    members: readonly Member[],
    _hints: BalanceHints | undefined,
    now: number,
  ): Member | undefined {
    let best: Member | undefined
    let most = Number.NEGATIVE_INFINITY
    let total = 0
    for (const member of members) {
      const share = member.share(now)
      const credit = (this.#credit.get(member) ?? 0) + share
      this.#credit.set(member, credit)
      total += share
      if (credit > most) {
        most = credit
        best = member
      }
    }
    if (best !== undefined) this.#credit.set(best, most - total)
    return best
  }
}
