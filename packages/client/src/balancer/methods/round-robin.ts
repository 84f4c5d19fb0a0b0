// lighttpd's "round-robin": one after the other, weights not looked at.
import type { Member } from '../members/member.ts'
import type { Method } from './method.ts'

/** One after the other. */
export class RoundRobin implements Method {
  #last: Member | undefined

  pick(members: readonly Member[]): Member | undefined {
    const at = this.#last === undefined ? -1 : members.indexOf(this.#last)
    this.#last = members[(at + 1) % members.length]
    return this.#last
  }
}
