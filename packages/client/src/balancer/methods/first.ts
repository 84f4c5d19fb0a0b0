// lighttpd's "least-connection" among the processes of a host, where the first one wins ties.
import type { Member } from '../members/member.ts'
import { cheapest, type Method } from './method.ts'

/** Chooses the member with the fewest active requests; the first one wins ties. With low load the last ones stay idle. */
export class First implements Method {
  pick(members: readonly Member[]): Member | undefined {
    return cheapest(members, (member) => member.counters.load)
  }
}
