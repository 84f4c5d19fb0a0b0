// Apache mod_lbmethod_bytraffic, but without the rounding errors of Apache's integer division.
import type { BalanceHints } from '../../exchange/balance-hints.ts'
import type { Member } from '../members/member.ts'
import { cheapest, type Method } from './method.ts'

/** Distributes bytes, sent and received since the start, in proportion to the weights. */
export class ByTraffic implements Method {
  readonly prefersIdle = true
  pick(
    members: readonly Member[],
    _hints: BalanceHints | undefined,
    now: number,
  ): Member | undefined {
    return cheapest(
      members,
      (member) => (member.counters.bytesSent + member.counters.bytesReceived) / member.share(now),
    )
  }
}
