// What lighttpd's "least-connection" does among its processes: the first one wins ties.
import type { Member } from '../members/member.ts'
import { cheapest, type Method } from './method.ts'

/** Whoever has the fewest requests under way, the first of equals: without a crowd, the last ones stay idle. */
export class First implements Method {
  pick(members: readonly Member[]): Member | undefined {
    return cheapest(members, (member) => member.counters.load)
  }
}
