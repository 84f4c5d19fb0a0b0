// Apache mod_lbmethod_bytraffic. Apache divides integers, which loses up to a weight's worth of bytes; ours does not.
import type { BalanceHints } from '../../exchange/balance-hints.ts'
import type { Member } from '../members/member.ts'
import { cheapest, type Method } from './method.ts'

/** Bytes, both ways and since the start, in proportion to weights. */
export class ByTraffic implements Method {
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
